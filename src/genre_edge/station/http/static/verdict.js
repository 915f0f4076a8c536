// The verdict in large letters, with a bar for every genre.

import { element, swatch, write } from "./dom.js";
import { look, lookOf } from "./genres.js";
import { percent, timeOfDay } from "./words.js";

const SPOKEN_MS = 15000; // a screen reader is told of changes, but not more often

/** What the line below the genre says: how sure, or why there is no genre. */
function sure({ genre, reason, confidence, genres }) {
  if (genre !== null) return `${percent(confidence)} sure`;
  const best = genres.length ? `${look(genres[0].genre).name}, ${percent(genres[0].probability)}` : "";
  if (reason === "silence") return "Too quiet to hear anything";
  if (reason === "too_short") return "Not enough sound yet for a verdict";
  if (reason === "not_music") return best ? `Sounds like no music; if it were: ${best}` : "Sounds like no music";
  return best ? `A guess would be: ${best}` : "No genre stands out";
}

export class VerdictView {
  #rows = new Map(); // label -> [bar, number]
  #spoken = ""; // the last name that was said
  #pending = 0;
  #next = "";

  constructor(place) {
    this.place = place; // {swatch, genre, sure, bars, heard, spoken}: elements
  }

  /** One row a genre, in the model's order, which never changes: bars that swap places cannot be followed. */
  set labels(labels) {
    if (labels.join("\n") === [...this.#rows.keys()].join("\n")) return;
    this.#rows.clear();
    this.place.bars.replaceChildren(...labels.map((label) => this.#row(label)));
  }

  #row(label) {
    const row = element("li");
    const track = element("span", "track");
    const bar = element("span", `bar ${look(label).colour}`);
    const number = element("span", "number", "–");
    track.append(bar);
    row.append(swatch(look(label)), element("span", "label", look(label).name), track, number);
    this.#rows.set(label, [bar, number]);
    return row;
  }

  draw(verdict) {
    const { name, code, colour } = lookOf(verdict);
    this.place.swatch.className = `swatch ${colour}`;
    write(this.place.swatch, code);
    write(this.place.genre, name);
    write(this.place.sure, sure(verdict));
    const seconds = Math.round(verdict.end_s - verdict.start_s);
    write(this.place.heard, `Heard until ${timeOfDay(verdict.time, true)}, over ${seconds} s`);
    this.place.bars.classList.toggle("doubtful", verdict.genre === null);
    const shares = new Map(verdict.genres.map(({ genre, probability }) => [genre, probability]));
    for (const [label, [bar, number]] of this.#rows) {
      const share = shares.get(label);
      bar.style.transform = `scaleX(${share ?? 0})`;
      write(number, share === undefined ? "–" : percent(share));
      number.parentElement.classList.toggle("best", label === verdict.genre);
    }
    if (name !== this.#next) document.title = `${name} · genre-edge`;
    this.#say(name);
  }

  #say(name) {
    this.#next = name;
    if (this.#pending || name === this.#spoken) return;
    this.#tell();
    this.#pending = setTimeout(() => {
      this.#pending = 0;
      this.#say(this.#next);
    }, SPOKEN_MS);
  }

  #tell() {
    this.#spoken = this.#next;
    write(this.place.spoken, this.#next);
  }
}
