// Making and changing elements. Text from outside goes through here, never through HTML.

import { timeOfDay } from "./words.js";

const EDGE = 0.05;

/** A new element with a class and a text. */
export function element(tag, className = "", text = "") {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.textContent = text;
  return made;
}

/** Say `text` in an element; a text that is there already is left alone, so that readers keep their place. */
export function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

/** Put times of day below a plot from `from` on, `span` seconds wide; none so near an edge that it would be cut. */
export function timeAxis(place, times, from, span) {
  const ticks = [];
  for (const time of times) {
    const share = (time - from) / span;
    if (share < EDGE || share > 1 - EDGE) continue;
    const tick = element("span", "", timeOfDay(time));
    tick.style.left = `${100 * share}%`;
    ticks.push(tick);
  }
  place.replaceChildren(...ticks);
}

/** The multiples of `step` from `from` to `to`. */
export function* multiples(step, from, to) {
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) yield time;
}

/** The coloured square with a genre's letters; for the eye alone, as the name is said beside it. */
export function swatch({ code, colour }) {
  const made = element("span", `swatch ${colour}`, code);
  made.setAttribute("aria-hidden", "true");
  return made;
}
