// Functions that create and update elements. Text from the station is set as textContent, never as HTML.

import { formatTime } from "./format.js";

const MARGIN = 0.05; // fraction of an axis at each end that has no labels, which would be cut off

/** Create an element with a class and a text. */
export function createElement(tag, className = "", text = "") {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.textContent = text;
  return element;
}

/** Set an element's text, unless it is unchanged: otherwise screen readers and selections lose their position. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** Draw a time axis that starts at `start` and spans `duration` seconds, with labels at `times`. */
export function drawTimeAxis(axis, times, start, duration) {
  const labels = [];
  for (const time of times) {
    const position = (time - start) / duration;
    if (position < MARGIN || position > 1 - MARGIN) continue;
    const label = createElement("span", "", formatTime(time));
    label.style.left = `${100 * position}%`;
    labels.push(label);
  }
  axis.replaceChildren(...labels);
}

/** Yield the multiples of `step` from `start` to `end`. */
export function* multiples(step, start, end) {
  for (let time = Math.ceil(start / step) * step; time <= end; time += step) yield time;
}

/** Create the coloured square of a genre. It is hidden from screen readers, because the name is beside it. */
export function createSwatch({ code, colour }) {
  const swatch = createElement("span", `swatch ${colour}`, code);
  swatch.setAttribute("aria-hidden", "true");
  return swatch;
}
