// Making and changing elements. Text from outside goes through here, never through HTML.

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

/** The coloured square with a genre's letters; for the eye alone, as the name is said beside it. */
export function swatch({ code, colour }) {
  const made = element("span", `swatch ${colour}`, code);
  made.setAttribute("aria-hidden", "true");
  return made;
}
