// Names, two-letter codes and colours of genres. Each colour is shown with a code or a name. Names of a model may be any
// text; they are keys of maps, never of objects, which have properties of their own.

const N_COLOURS = 10; // classes g0 to g9 in page.css
const DISPLAY_NAMES = new Map([["hiphop", "Hip hop"]]);
const REASONS = {
  silence: { name: "Silence", code: "–", colour: "none" },
  not_music: { name: "No music", code: "×", colour: "none" },
  low_confidence: { name: "Uncertain", code: "?", colour: "none" },
  too_short: { name: "Too short", code: "…", colour: "none" },
};
export const NO_GENRE = { name: "No genre", code: "–", colour: "none" };

const styles = new Map(); // label -> style, in the model's order, which determines the colours
const soundStyles = new Map(); // sound -> style of audio that is not music

/** Return the style of a genre: `{name, code, colour}`, where the colour is a CSS class. */
export function genreStyle(label) {
  if (!styles.has(label)) {
    styles.set(label, { name: displayName(label), code: uniqueCode(label), colour: `g${styles.size % N_COLOURS}` });
  }
  return styles.get(label);
}

/** Return the style of a verdict: of its genre, or of the reason why it has none. */
export function verdictStyle(verdict) {
  if (verdict.genre !== null) return genreStyle(verdict.genre);
  if (verdict.reason === "not_music" && verdict.sound) return soundStyle(verdict.sound);
  return REASONS[verdict.reason] ?? NO_GENRE;
}

function soundStyle(sound) {
  if (!soundStyles.has(sound)) soundStyles.set(sound, { ...REASONS.not_music, name: `Not music: ${sound}` });
  return soundStyles.get(sound);
}

/** Return the likely styles of music, without the genre itself. Verdicts of earlier versions have none. */
export function musicStyles({ genre, styles = [] }) {
  return styles.filter(({ style }) => style !== genre);
}

function displayName(label) {
  return DISPLAY_NAMES.get(label) ?? label.charAt(0).toUpperCase() + label.slice(1);
}

function uniqueCode(label) {
  const used = new Set([...styles.values()].map((style) => style.code));
  const first = label.charAt(0).toUpperCase();
  const second = [...label.slice(1).replace(/\W/g, ""), ..."23456789"].find((letter) => !used.has(first + letter));
  return first + (second ?? "");
}
