/** Text that a network wrote, as paragraphs whose words are told apart. */

import { el } from "../dom.js";
import { paragraphs, segments } from "../segments.js";

/**
 * @param {string} text
 * @param {{invented?: [number, number][], watched?: string[]}} marks
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
  return segments(text, marks).map(({ kind, text: piece }) =>
    span({ kind, text: piece.replace(/\s+/gu, " ") }, () => false),
  );
}

/** A segment as a node: plain text, or an element of its kind. */
export function span({ kind, text }, isFresh) {
  if (kind === "plain") return document.createTextNode(text);
  const fresh = kind === "watched" && isFresh(text);
  return el("span", { class: fresh ? "watched hurrah" : kind, text });
}
