// The last 24 hours: a stacked bar chart of verdicts by genre, a legend that highlights one genre, and a table.

import { createElement, createSwatch, drawTimeAxis, multiples, setText } from "./dom.js";
import { formatPercent, formatTime } from "./format.js";
import { NO_GENRE, genreStyle } from "./genres.js";

const DAY_S = 86400;
const HOUR_S = 3600;
const TICK_HOURS = 4;
const CHART_HEIGHT = 100; // in units of the SVG's view box

function createSvgElement(tag, attributes) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
}

const countOf = (bin, label) => (Object.hasOwn(bin.genres, label) ? bin.genres[label] : 0);

/** Return the counts of a bin in the legend's order: `[[style, count]]`. */
function countsByStyle(bin, labels) {
  return [...labels.map((label) => [genreStyle(label), countOf(bin, label)]), [NO_GENRE, bin.none]];
}

const totalCount = (bin) => Object.values(bin.genres).reduce((sum, count) => sum + count, bin.none);

/** Merge bins into hours, oldest first. */
function mergeByHour(bins) {
  const hours = new Map();
  for (const bin of bins) {
    const start = Math.floor(bin.start / HOUR_S) * HOUR_S;
    const hour = hours.get(start) ?? { start, genres: Object.create(null), none: 0 };
    for (const [genre, count] of Object.entries(bin.genres)) hour.genres[genre] = (hour.genres[genre] ?? 0) + count;
    hour.none += bin.none;
    hours.set(start, hour);
  }
  return [...hours.values()];
}

export class DayView {
  #highlighted = null; // the style that is highlighted

  constructor(elements) {
    this.elements = elements; // {chart, axis, maximum, legend, table}
  }

  /** Draw the response of api/v1/day. `labels` are in the model's order, which is the order of the stacks. */
  draw({ bins, bin_s: binS }, labels, now) {
    const present = labels.filter((label) => bins.some((bin) => countOf(bin, label)));
    const maximum = Math.max(1, ...bins.map(totalCount));
    setText(this.elements.maximum, bins.length ? `${maximum} verdicts in ${binS / 60} min` : "No verdicts yet");
    const start = Math.ceil(now / binS) * binS - DAY_S;
    this.elements.chart.setAttribute("viewBox", `0 0 ${DAY_S / binS} ${CHART_HEIGHT}`);
    this.elements.chart.replaceChildren(
      ...bins.map((bin) => this.#createStack(bin, (bin.start - start) / binS, CHART_HEIGHT / maximum, present)),
    );
    const hours = [...multiples(HOUR_S, start, start + DAY_S)].filter(
      (time) => new Date(1000 * time).getHours() % TICK_HOURS === 0,
    );
    drawTimeAxis(this.elements.axis, hours, start, DAY_S);
    this.#drawLegend(bins, present);
    this.#drawTable(bins, present);
  }

  #createStack(bin, x, scale, labels) {
    const stack = createSvgElement("g", {});
    const parts = [];
    let y = CHART_HEIGHT;
    for (const [style, count] of countsByStyle(bin, labels)) {
      if (!count) continue;
      y -= count * scale;
      const box = { x: x + 0.06, y, width: 0.88, height: count * scale, class: style.colour };
      const rect = createSvgElement("rect", box);
      rect.genreStyle = style;
      stack.append(rect);
      parts.push(`${style.name} ${count}`);
    }
    const title = createSvgElement("title", {});
    title.textContent = `${formatTime(bin.start)}: ${parts.join(", ")}`;
    stack.append(title);
    return stack;
  }

  #drawLegend(bins, labels) {
    const total = bins.reduce((sum, bin) => sum + totalCount(bin), 0);
    const sums = countsByStyle({ genres: {}, none: 0 }, labels);
    for (const bin of bins) countsByStyle(bin, labels).forEach(([, count], i) => (sums[i][1] += count));
    const entries = sums.filter(([, count]) => count);
    if (!entries.some(([style]) => style === this.#highlighted)) this.#highlighted = null;
    const { legend } = this.elements;
    const focused = [...legend.children].findIndex((item) => item.contains(document.activeElement));
    legend.replaceChildren(...entries.map(([style, count]) => this.#createEntry(style, count / total)));
    legend.children[focused]?.firstChild.focus({ preventScroll: true });
    this.#updateHighlight();
  }

  #createEntry(style, fraction) {
    const item = createElement("li");
    const button = createElement("button");
    button.type = "button";
    button.append(
      createSwatch(style),
      createElement("span", "", style.name),
      createElement("span", "note", formatPercent(fraction)),
    );
    button.onclick = () => {
      this.#highlighted = this.#highlighted === style ? null : style;
      this.#updateHighlight();
    };
    button.genreStyle = style;
    item.append(button);
    return item;
  }

  #updateHighlight() {
    for (const button of this.elements.legend.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", button.genreStyle === this.#highlighted);
    }
    for (const rect of this.elements.chart.querySelectorAll("rect")) {
      rect.classList.toggle("dim", this.#highlighted !== null && rect.genreStyle !== this.#highlighted);
    }
  }

  #drawTable(bins, labels) {
    const headings = createElement("tr");
    for (const name of ["Hour", ...labels.map((label) => genreStyle(label).name), NO_GENRE.name]) {
      const cell = createElement("th", "", name);
      cell.scope = "col";
      headings.append(cell);
    }
    const head = createElement("thead");
    head.append(headings);
    const body = createElement("tbody");
    for (const hour of mergeByHour(bins)) {
      const row = createElement("tr");
      const name = createElement("th", "", formatTime(hour.start));
      name.scope = "row";
      row.append(name, ...countsByStyle(hour, labels).map(([, count]) => createElement("td", "", `${count}`)));
      body.append(row);
    }
    this.elements.table.replaceChildren(createElement("caption", "", "Verdicts by hour, oldest first"), head, body);
  }
}
