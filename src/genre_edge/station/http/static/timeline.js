// The verdicts of the last minutes as coloured blocks, and the latest changes in words.

import { element, multiples, swatch, timeAxis, write } from "./dom.js";
import { lookOf } from "./genres.js";
import { duration, percent, timeOfDay } from "./words.js";

export const KEPT_S = 15 * 60; // as far back as is shown
const TICK_S = 3 * 60;
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
    this.place = place; // {track, clock, changes, count}: elements
  }

  draw(verdicts, now) {
    const width = this.place.track.clientWidth;
    const from = now - KEPT_S;
    const runs = runsOf(verdicts);
    write(this.place.count, verdicts.length === 1 ? "1 verdict" : `${verdicts.length} verdicts`);
    this.place.track.replaceChildren(...runs.map((run) => block(run, from, width)));
    timeAxis(this.place.clock, multiples(TICK_S, from, now), from, KEPT_S);
    this.#list(runs);
  }

  #list(runs) {
    const latest = runs.slice(-CHANGES).reverse();
    const told = latest.map((run) => [run.look.name, mean(run), times(run)]).join();
    if (told === this.#told) return; // a reader's place in the list is kept
    this.#told = told;
    this.place.changes.replaceChildren(...latest.map(line));
  }
}

const mean = (run) => (run.look.colour === "none" ? "" : percent(run.sum / run.count));

const times = (run) => `${timeOfDay(run.start)}, ${duration(Math.round(run.end - run.start))}`;

function block(run, from, width) {
  const left = Math.max(0, (run.start - from) / KEPT_S);
  const share = Math.min(1, (run.end - from) / KEPT_S) - left;
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
