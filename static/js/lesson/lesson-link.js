/**
 * A lesson as the fragment of an address: `#lesson=` and base64url of JSON, or `#folded-lesson=`
 * if its text is folded away. Browsers do not send the fragment to the server.
 */

/**
 * @typedef {Object} Lesson
 * @property {string} title
 * @property {string} text paragraphs are separated by an empty line.
 * @property {string[]} hidden the names of the groups of controls that are not shown.
 */

export const MAX_TEXT = 1000; // characters

export const MAX_TITLE = 80;
const VERSION = 1;
const MAX_GROUPS = 50;
const FRAGMENT = /^#(folded-)?lesson=(.*)$/su;

/**
 * @param {Lesson} lesson
 * @param {boolean} [folded]
 */
export function fragmentOf({ title, text, hidden }, folded = false) {
  const bytes = new TextEncoder().encode(JSON.stringify([VERSION, title, text, hidden]));
  const base64 = btoa(Array.from(bytes, (byte) => String.fromCharCode(byte)).join(""));
  const word = base64.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/u, "");
  return `#${folded ? "folded-" : ""}lesson=${word}`;
}

/**
 * The lesson in a fragment; null if it has none.
 *
 * @param {string} fragment
 * @returns {{lesson: Lesson, folded: boolean} | null}
 * @throws {LessonLinkError} when the link was cut off or changed.
 */
export function lessonFrom(fragment) {
  const [whole, folded, word] = FRAGMENT.exec(fragment) ?? [];
  if (whole === undefined) return null;
  return { lesson: decoded(word), folded: folded !== undefined };
}

export class LessonLinkError extends Error {}

/**
 * @param {string} word
 * @returns {Lesson}
 */
function decoded(word) {
  let content;
  try {
    const bytes = atob(word.replaceAll("-", "+").replaceAll("_", "/"));
    const utf8 = Uint8Array.from(bytes, (character) => character.charCodeAt(0));
    content = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(utf8));
  } catch {
    throw new LessonLinkError();
  }
  if (!Array.isArray(content)) throw new LessonLinkError();
  const [version, title, text, hidden] = content;
  const valid =
    version === VERSION &&
    isText(title, MAX_TITLE) &&
    isText(text, MAX_TEXT) &&
    Array.isArray(hidden) &&
    hidden.length <= MAX_GROUPS &&
    hidden.every((name) => isText(name, MAX_TITLE));
  if (!valid) throw new LessonLinkError();
  return { title, text, hidden };
}

/**
 * @param {unknown} value
 * @param {number} length
 */
const isText = (value, length) => typeof value === "string" && value.length <= length;
