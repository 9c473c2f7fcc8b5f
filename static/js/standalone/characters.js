/** The names of characters, and the language whose glyphs and line breaks they need. */

/** @type {Record<string, string>} */
const NAMES = { " ": "space", "\n": "new line", "\t": "tab", "\u00a0": "no-break space" };

/** "U+00E9" @param {string} character */
function codePoint(character) {
  const number = character.codePointAt(0) ?? 0;
  return `U+${number.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** A name for a label: the character itself if it can be seen. @param {string} character */
export function characterLabel(character) {
  if (NAMES[character]) return NAMES[character];
  // A mark is combined with the circle that stands for a letter.
  if (/\p{M}/u.test(character)) return `\u25cc${character}`;
  return /[\p{C}\p{Z}]/u.test(character) ? codePoint(character) : character;
}

/** "‘é’ (U+00E9)", or "new line" @param {string} character */
export function characterName(character) {
  const label = characterLabel(character);
  const isName = label === NAMES[character] || label === codePoint(character);
  // Isolated, so that a right-to-left character does not move the code behind it.
  return isName ? label : `‘\u2068${label}\u2069’ (${codePoint(character)})`;
}

/** The language of a vocabulary in an East Asian script. @param {string} vocabulary */
export function languageOf(vocabulary) {
  if (/[\p{Script=Hiragana}\p{Script=Katakana}]/u.test(vocabulary)) return "ja";
  if (/\p{Script=Hangul}/u.test(vocabulary)) return "ko";
  return /\p{Script=Han}/u.test(vocabulary) ? "zh" : "";
}
