// Names, two-letter codes and colours of genres. Each colour is shown with a code or a name.

const N_COLOURS = 10; // classes g0 to g9 in page.css
const DISPLAY_NAMES = { hiphop: "Hip hop" };
const REASONS = {
  silence: { name: "Silence", code: "–", colour: "none" },
  not_music: { name: "No music", code: "×", colour: "none" },
  low_confidence: { name: "Uncertain", code: "?", colour: "none" },
  too_short: { name: "Too short", code: "…", colour: "none" },
};
export const NO_GENRE = { name: "No genre", code: "–", colour: "none" };

const styles = new Map(); // label -> style, in the model's order, which determines the colours

/** Return the style of a genre: `{name, code, colour}`, where the colour is a CSS class. */
export function genreStyle(label) {
  if (!styles.has(label)) {
    styles.set(label, { name: displayName(label), code: uniqueCode(label), colour: `g${styles.size % N_COLOURS}` });
  }
  return styles.get(label);
}

/** Return the style of a verdict: of its genre, or of the reason why it has none. */
export function verdictStyle(verdict) {
  return verdict.genre === null ? (REASONS[verdict.reason] ?? NO_GENRE) : genreStyle(verdict.genre);
}

function displayName(label) {
  return DISPLAY_NAMES[label] ?? label.charAt(0).toUpperCase() + label.slice(1);
}

function uniqueCode(label) {
  const used = new Set([...styles.values()].map((style) => style.code));
  const first = label.charAt(0).toUpperCase();
  const second = [...label.slice(1).replace(/\W/g, ""), ..."23456789"].find((letter) => !used.has(first + letter));
  return first + (second ?? "");
}
