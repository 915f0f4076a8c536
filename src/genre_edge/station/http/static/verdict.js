// The latest verdict, with a bar for the probability of each genre.

import { createElement, createSwatch, setText } from "./dom.js";
import { formatPercent, formatTime } from "./format.js";
import { genreStyle, musicStyles, verdictStyle } from "./genres.js";

const MAX_ROWS = 20; // bars; of more labels only the best ones have a bar
const N_BEST = 10;
const ANNOUNCEMENT_MS = 15000; // minimum interval between announcements to screen readers

/** Return the line below the genre: confidence or reason, and styles. */
function describe(verdict) {
  return [describeConfidence(verdict), musicStyles(verdict).map(({ style }) => style).join(", ")]
    .filter(Boolean)
    .join(" · ");
}

function describeConfidence({ genre, reason, confidence, genres }) {
  if (genre !== null) return `${formatPercent(confidence)} confidence`;
  const best = genres.length ? `${genreStyle(genres[0].genre).name}, ${formatPercent(genres[0].probability)}` : "";
  if (reason === "silence") return "Too quiet to classify";
  if (reason === "too_short") return "Not enough audio yet";
  if (reason === "not_music") return best ? `Probably not music. Best match: ${best}` : "Probably not music";
  return best ? `Best match: ${best}` : "No genre is probable enough";
}

/** Return what the audio consists of: "music 62 % · other sounds 38 %"; "" if it is of one kind. */
function describeShares({ music_share, not_music_share, silence_share }) {
  const shares = [
    ["music", music_share],
    ["other sounds", not_music_share],
    ["silence", silence_share],
  ].filter(([, share]) => share);
  return shares.length > 1 ? shares.map(([name, share]) => `${name} ${formatPercent(share)}`).join(" · ") : "";
}

export class VerdictView {
  #rows = new Map(); // label -> [bar, number]
  #labels = [];
  #current = ""; // name of the latest verdict
  #announced = "";
  #timer = 0;

  constructor(elements) {
    this.elements = elements; // {swatch, genre, confidence, bars, audioRange, shares, announcement}
  }

  /** Set the labels: one row each, in the model's order. Rows never change places, so that they are easy to follow.
   *  If there are more than `MAX_ROWS`, `draw` selects the rows. */
  set labels(labels) {
    this.#labels = labels;
    if (labels.length <= MAX_ROWS) this.#setRows(labels);
  }

  #setRows(labels) {
    if (labels.join("\n") === [...this.#rows.keys()].join("\n")) return;
    this.#rows.clear();
    this.elements.bars.replaceChildren(...labels.map((label) => this.#createRow(label)));
  }

  #createRow(label) {
    const style = genreStyle(label);
    const row = createElement("li");
    const track = createElement("span", "track");
    const bar = createElement("span", `bar ${style.colour}`);
    const number = createElement("span", "number", "–");
    track.append(bar);
    row.append(createSwatch(style), createElement("span", "label", style.name), track, number);
    this.#rows.set(label, [bar, number]);
    return row;
  }

  draw(verdict) {
    const { name, code, colour } = verdictStyle(verdict);
    this.elements.swatch.className = `swatch ${colour}`;
    setText(this.elements.swatch, code);
    setText(this.elements.genre, name);
    setText(this.elements.confidence, describe(verdict));
    const seconds = Math.round(verdict.end_s - verdict.start_s);
    setText(this.elements.audioRange, `From ${seconds} s of audio, until ${formatTime(verdict.time, true)}`);
    setText(this.elements.shares, describeShares(verdict));
    this.#drawBars(verdict);
    if (name !== this.#current) document.title = `${name} · genre-edge`;
    this.#announce(name);
  }

  #drawBars(verdict) {
    const best = verdict.genres.slice(0, N_BEST).map(({ genre }) => genre);
    if (this.#labels.length > MAX_ROWS && best.length) this.#setRows(best);
    this.elements.bars.classList.toggle("no-genre", verdict.genre === null);
    const probabilities = new Map(verdict.genres.map(({ genre, probability }) => [genre, probability]));
    for (const [label, [bar, number]] of this.#rows) {
      const probability = probabilities.get(label);
      bar.style.transform = `scaleX(${probability ?? 0})`;
      setText(number, probability === undefined ? "–" : formatPercent(probability));
      number.parentElement.classList.toggle("best", label === verdict.genre);
    }
  }

  /** Announce a changed name to screen readers; changes within `ANNOUNCEMENT_MS` are combined. */
  #announce(name) {
    this.#current = name;
    if (this.#timer || name === this.#announced) return;
    this.#announced = name;
    setText(this.elements.announcement, name);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#announce(this.#current);
    }, ANNOUNCEMENT_MS);
  }
}
