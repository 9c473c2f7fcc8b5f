/** Generated text as paragraphs, with its words highlighted. */

import { el } from "../lib/dom.js";
import { paragraphs, segments } from "../lib/word-spans.js";

/**
 * @param {string} text
 * @param {import("../lib/word-spans.js").Highlights} highlights
 * @param {(word: string) => boolean} [isFresh] whether a watched word is a new hurrah.
 * @returns {HTMLElement}
 */
export function prose(text, highlights, isFresh = () => false) {
  const texts = paragraphs(segments(text, highlights));
  return el(
    "div",
    { class: "prose" },
    ...texts.map((parts) => el("p", {}, ...parts.map((segment) => span(segment, isFresh)))),
  );
}

/**
 * The same text on one line, for previews.
 *
 * @param {string} text
 * @param {import("../lib/word-spans.js").Highlights} highlights
 */
export function inline(text, highlights) {
  return segments(text, highlights).map((segment) =>
    span({ ...segment, text: segment.text.replace(/\s+/gu, " ") }, () => false),
  );
}

/**
 * A segment as a node: plain text, or a span with a class.
 *
 * @param {import("../lib/word-spans.js").Segment} segment
 * @param {(word: string) => boolean} isFresh
 */
export function span({ kind, text }, isFresh) {
  const fresh = kind === "watched" && isFresh(text);
  const names = [kind !== "plain" && kind, fresh && "hurrah"].filter(Boolean);
  return names.length
    ? el("span", { class: names.join(" "), text })
    : document.createTextNode(text);
}
