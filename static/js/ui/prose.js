/** Text that a network wrote, as paragraphs whose words are told apart. */

import { el } from "../lib/dom.js";
import { paragraphs, segments } from "../lib/word-spans.js";

/**
 * @param {string} text
 * @param {Object} marks as for `segments`.
 * @param {(word: string) => boolean} [isFresh] whether a watched word came just now.
 * @returns {HTMLElement}
 */
export function prose(text, marks, isFresh = () => false) {
  const pages = paragraphs(segments(text, marks));
  return el(
    "div",
    { class: "prose" },
    ...pages.map((page) => el("p", {}, ...page.map((segment) => span(segment, isFresh)))),
  );
}

/** The same as one flowing line, for the small ones. */
export function inline(text, marks) {
  return segments(text, marks).map((segment) =>
    span({ ...segment, text: segment.text.replace(/\s+/gu, " ") }, () => false),
  );
}

/** A segment as a node: plain text, or an element of its kind. */
export function span({ kind, text, changed }, isFresh) {
  const fresh = kind === "watched" && isFresh(text);
  const names = [kind !== "plain" && kind, fresh && "hurrah", changed && "changed"].filter(Boolean);
  return names.length
    ? el("span", { class: names.join(" "), text })
    : document.createTextNode(text);
}
