// The verdicts of the last minutes as coloured blocks, and the latest changes in words.

import { element, swatch, write } from "./dom.js";
import { lookOf } from "./genres.js";
import { percent, timeOfDay } from "./words.js";

export const KEPT_S = 15 * 60; // as far back as a wide page shows
const NARROW_S = 5 * 60;
const NARROW_PX = 560;
const JOIN_S = 2; // verdicts come a little early or late: a shorter hole is none
const LETTERS_PX = 24; // a block that letters fit into
const CHANGES = 6;

/** Neighbouring verdicts that say the same: `[{look, start, end, sum, count}]` in unix seconds, oldest first. */
export function runsOf(verdicts) {
  const runs = [];
  for (const verdict of verdicts) {
    const look = lookOf(verdict);
    const length = verdict.end_s - verdict.start_s;
    const last = runs.at(-1);
    let start = verdict.time - length;
    const abuts = last && start - last.end < Math.max(JOIN_S, length / 2);
    if (abuts) start = last.end;
    if (abuts && last.look === look) {
      last.end = verdict.time;
      last.sum += verdict.confidence ?? 0;
      last.count += 1;
    } else {
      runs.push({ look, start, end: verdict.time, sum: verdict.confidence ?? 0, count: 1 });
    }
  }
  return runs;
}

export class Timeline {
  #told = "";

  constructor(place) {
    this.place = place; // {track, clock, changes, span, count}: elements
  }

  draw(verdicts, now) {
    const width = this.place.track.clientWidth;
    const span = width < NARROW_PX ? NARROW_S : KEPT_S;
    const runs = runsOf(verdicts);
    write(this.place.span, `${span / 60}`);
    write(this.place.count, verdicts.length === 1 ? "1 verdict" : `${verdicts.length} verdicts`);
    const shown = runs.filter((run) => run.end > now - span);
    this.place.track.replaceChildren(...shown.map((run) => block(run, now - span, span, width)));
    this.#axis(now, span);
    this.#list(runs);
  }

  #axis(now, span) {
    const step = span / 5;
    const first = Math.ceil((now - span) / step) * step;
    const ticks = [];
    for (let time = first; time <= now; time += step) {
      const tick = element("span", "", timeOfDay(time));
      tick.style.left = `${(100 * (time - now + span)) / span}%`;
      ticks.push(tick);
    }
    this.place.clock.replaceChildren(...ticks);
  }

  #list(runs) {
    const latest = runs.slice(-CHANGES).reverse();
    const told = latest.map((run) => [run.look.code, timeOfDay(run.start), timeOfDay(run.end), mean(run)]).join();
    if (told === this.#told) return; // a reader's place in the list is kept
    this.#told = told;
    this.place.changes.replaceChildren(...latest.map(line));
  }
}

const mean = (run) => (run.look.colour === "none" ? "" : percent(run.sum / run.count));

const times = (run) => `${timeOfDay(run.start)} to ${timeOfDay(run.end)}`;

function block(run, from, span, width) {
  const left = Math.max(0, (run.start - from) / span);
  const share = Math.min(1, (run.end - from) / span) - left;
  const made = element("span", `block ${run.look.colour}`, share * width >= LETTERS_PX ? run.look.code : "");
  made.style.left = `${100 * left}%`;
  made.style.width = `${100 * share}%`;
  made.title = `${run.look.name} ${mean(run)}, ${times(run)}`;
  return made;
}

function line(run) {
  const made = element("li");
  const words = element("span", "words");
  words.append(element("strong", "", run.look.name), element("span", "note", ` ${mean(run)}`));
  made.append(swatch(run.look), words, element("span", "note", times(run)));
  return made;
}
