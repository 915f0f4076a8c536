// The verdicts of the last minutes as coloured blocks, and a list of the latest changes.

import { createElement, createSwatch, drawTimeAxis, multiples, setText } from "./dom.js";
import { formatDuration, formatPercent, formatTime } from "./format.js";
import { musicStyles, verdictStyle } from "./genres.js";

export const TIMELINE_S = 15 * 60;
const TICK_S = 3 * 60;
const MIN_GAP_S = 2; // verdicts arrive slightly early or late, so shorter gaps are closed
const MIN_CODE_WIDTH_PX = 24; // narrower blocks have no space for the code
const N_CHANGES = 6;
const N_STYLES = 3; // of one change

/** Merge adjacent equal verdicts: `[{style, start, end, sum, count, styles}]` in unix seconds, oldest first. */
export function mergeVerdicts(verdicts) {
  const runs = [];
  for (const verdict of verdicts) {
    const style = verdictStyle(verdict);
    const length = verdict.end_s - verdict.start_s;
    const last = runs.at(-1);
    let start = verdict.time - length;
    const isAdjacent = last && start - last.end < Math.max(MIN_GAP_S, length / 2);
    if (isAdjacent) start = last.end;
    if (isAdjacent && last.style === style) {
      last.end = verdict.time;
    } else {
      runs.push({ style, start, end: verdict.time, sum: 0, count: 0, styles: new Map() });
    }
    addVerdict(runs.at(-1), verdict);
  }
  return runs;
}

function addVerdict(run, verdict) {
  run.sum += verdict.confidence ?? 0;
  run.count += 1;
  for (const { style, probability } of musicStyles(verdict)) {
    const [sum, count] = run.styles.get(style) ?? [0, 0];
    run.styles.set(style, [sum + probability, count + 1]);
  }
}

/** Return the styles of at least half of the run's verdicts, most probable first. */
function commonStyles({ styles, count }) {
  const common = [...styles].filter(([, [, n]]) => 2 * n >= count).sort(([, [a]], [, [b]]) => b - a);
  return common.slice(0, N_STYLES).map(([style]) => style).join(", ");
}

export class TimelineView {
  #drawnChanges = "";

  constructor(elements) {
    this.elements = elements; // {track, axis, changes, count}
  }

  draw(verdicts, now) {
    const width = this.elements.track.clientWidth;
    const start = now - TIMELINE_S;
    const runs = mergeVerdicts(verdicts);
    setText(this.elements.count, verdicts.length === 1 ? "1 verdict" : `${verdicts.length} verdicts`);
    this.elements.track.replaceChildren(...runs.map((run) => createBlock(run, start, width)));
    drawTimeAxis(this.elements.axis, multiples(TICK_S, start, now), start, TIMELINE_S);
    this.#drawChanges(runs);
  }

  #drawChanges(runs) {
    const latest = runs.slice(-N_CHANGES).reverse();
    const content = latest.map((run) => [run.style.name, details(run), timeRange(run)]).join();
    if (content === this.#drawnChanges) return; // a screen reader keeps its position in the list
    this.#drawnChanges = content;
    this.elements.changes.replaceChildren(...latest.map(createChange));
  }
}

const meanConfidence = (run) => (run.style.colour === "none" ? "" : formatPercent(run.sum / run.count));

/** Return the mean confidence and the common styles: `82 % · swing, blues`. */
function details(run) {
  const styles = commonStyles(run);
  return meanConfidence(run) + (styles ? ` · ${styles}` : "");
}

const timeRange = (run) => `${formatTime(run.start)}, ${formatDuration(Math.round(run.end - run.start))}`;

function createBlock(run, start, trackWidth) {
  const left = Math.max(0, (run.start - start) / TIMELINE_S);
  const width = Math.min(1, (run.end - start) / TIMELINE_S) - left;
  const code = width * trackWidth >= MIN_CODE_WIDTH_PX ? run.style.code : "";
  const block = createElement("span", `block ${run.style.colour}`, code);
  block.style.left = `${100 * left}%`;
  block.style.width = `${100 * width}%`;
  block.title = `${run.style.name} ${details(run)}, ${timeRange(run)}`;
  return block;
}

function createChange(run) {
  const item = createElement("li");
  const text = createElement("span", "text");
  text.append(createElement("strong", "", run.style.name), createElement("span", "note", ` ${details(run)}`));
  item.append(createSwatch(run.style), text, createElement("span", "note time", timeRange(run)));
  return item;
}
