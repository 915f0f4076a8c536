// The last day: verdicts a bin, stacked by genre; a legend whose parts can be seen alone; the same as a table.

import { element, multiples, swatch, timeAxis, write } from "./dom.js";
import { OTHER, look } from "./genres.js";
import { percent, timeOfDay } from "./words.js";

const DAY_S = 86400;
const HOUR_S = 3600;
const TICK_HOURS = 4;
const TALL = 100; // units of the chart's height

function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Counts of one bin by what was heard, in the legend's order: `[[look, count]]`. */
function counts(bin, labels) {
  return [...labels.map((label) => [look(label), bin.genres[label] ?? 0]), [OTHER, bin.none]];
}

const total = (bin) => Object.values(bin.genres).reduce((sum, count) => sum + count, bin.none);

/** Bins put together by the hour, oldest first. */
function byHour(bins) {
  const hours = new Map();
  for (const bin of bins) {
    const start = Math.floor(bin.start / HOUR_S) * HOUR_S;
    const hour = hours.get(start) ?? { start, genres: {}, none: 0 };
    for (const [genre, count] of Object.entries(bin.genres)) hour.genres[genre] = (hour.genres[genre] ?? 0) + count;
    hour.none += bin.none;
    hours.set(start, hour);
  }
  return [...hours.values()];
}

export class Day {
  #alone = null; // the look that is seen alone

  constructor(place) {
    this.place = place; // {chart, hours, most, legend, table}: elements
  }

  /** `labels` in the model's order, which is the order of the stacks. */
  draw({ bins, bin_s: binS }, labels, now) {
    const present = labels.filter((label) => bins.some((bin) => bin.genres[label]));
    const most = Math.max(1, ...bins.map(total));
    write(this.place.most, bins.length ? `${most} verdicts in ${binS / 60} min` : "No verdicts yet");
    const from = Math.ceil(now / binS) * binS - DAY_S;
    this.place.chart.setAttribute("viewBox", `0 0 ${DAY_S / binS} ${TALL}`);
    this.place.chart.replaceChildren(
      ...bins.map((bin) => this.#stack(bin, (bin.start - from) / binS, TALL / most, present)),
    );
    const hours = [...multiples(HOUR_S, from, from + DAY_S)].filter(
      (time) => new Date(1000 * time).getHours() % TICK_HOURS === 0,
    );
    timeAxis(this.place.hours, hours, from, DAY_S);
    this.#legend(bins, present);
    this.#table(bins, present);
  }

  #stack(bin, x, unit, labels) {
    const stack = svg("g", {});
    const words = [];
    let y = TALL;
    for (const [{ name, colour }, count] of counts(bin, labels)) {
      if (!count) continue;
      y -= count * unit;
      stack.append(svg("rect", { x: x + 0.06, y, width: 0.88, height: count * unit, class: colour }));
      words.push(`${name} ${count}`);
    }
    const title = svg("title", {});
    title.textContent = `${timeOfDay(bin.start)}: ${words.join(", ")}`;
    stack.append(title);
    return stack;
  }

  #legend(bins, labels) {
    const all = bins.reduce((sum, bin) => sum + total(bin), 0);
    const sums = counts({ genres: {}, none: 0 }, labels);
    for (const bin of bins) counts(bin, labels).forEach(([, count], i) => (sums[i][1] += count));
    const parts = sums.filter(([, count]) => count);
    if (!parts.some(([part]) => part === this.#alone)) this.#alone = null;
    const focused = [...this.place.legend.children].findIndex((item) => item.contains(document.activeElement));
    this.place.legend.replaceChildren(...parts.map(([part, count]) => this.#part(part, count / all)));
    this.place.legend.children[focused]?.firstChild.focus({ preventScroll: true });
    this.#dim();
  }

  #part(part, share) {
    const item = element("li");
    const button = element("button");
    button.type = "button";
    button.append(swatch(part), element("span", "", part.name), element("span", "note", percent(share)));
    button.onclick = () => {
      this.#alone = this.#alone === part ? null : part;
      this.#dim();
    };
    button.look = part;
    item.append(button);
    return item;
  }

  #dim() {
    for (const button of this.place.legend.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", button.look === this.#alone);
    }
    for (const part of this.place.chart.querySelectorAll("rect")) {
      part.classList.toggle("dim", this.#alone !== null && !part.classList.contains(this.#alone.colour));
    }
  }

  #table(bins, labels) {
    const head = element("tr");
    for (const name of ["Hour", ...labels.map((label) => look(label).name), OTHER.name]) {
      const cell = element("th", "", name);
      cell.scope = "col";
      head.append(cell);
    }
    const top = element("thead");
    top.append(head);
    const body = element("tbody");
    for (const hour of byHour(bins)) {
      const row = element("tr");
      const name = element("th", "", timeOfDay(hour.start));
      name.scope = "row";
      row.append(name, ...counts(hour, labels).map(([, count]) => element("td", "", `${count}`)));
      body.append(row);
    }
    this.place.table.replaceChildren(element("caption", "", "Verdicts by hour, oldest first"), top, body);
  }
}
