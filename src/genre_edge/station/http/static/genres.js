// Names, letters and colours of what can be heard. A colour never stands alone: letters or a name are beside it.

const COLOURS = 10; // classes g0 to g9 in page.css
const SPELT = { hiphop: "Hip hop" };
const NO_GENRE = {
  silence: { name: "Silence", code: "–", colour: "none" },
  not_music: { name: "No music", code: "×", colour: "none" },
  low_confidence: { name: "Not sure", code: "?", colour: "none" },
  too_short: { name: "Too short", code: "…", colour: "none" },
};
export const OTHER = { name: "No genre", code: "–", colour: "none" };

const known = new Map(); // label -> look, in the model's order, which gives the colours

/** How a genre looks: `{name, code, colour}`: its name in words, two letters of its own, a class. */
export function look(label) {
  if (!known.has(label)) {
    known.set(label, { name: spelt(label), code: letters(label), colour: `g${known.size % COLOURS}` });
  }
  return known.get(label);
}

/** How a verdict looks: its genre, or why there is none. */
export function lookOf(verdict) {
  return verdict.genre === null ? (NO_GENRE[verdict.reason] ?? OTHER) : look(verdict.genre);
}

function spelt(label) {
  return SPELT[label] ?? label.charAt(0).toUpperCase() + label.slice(1);
}

function letters(label) {
  const taken = new Set([...known.values()].map((other) => other.code));
  const first = label.charAt(0).toUpperCase();
  const free = [...label.slice(1).replace(/\W/g, ""), ..."23456789"].find((letter) => !taken.has(first + letter));
  return first + (free ?? "");
}
