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

const EMPTY_LINES = /\n(?:[^\S\n]*\n)+/gu;

/**
 * The same text in few lines, for previews: without its empty lines.
 *
 * @param {string} text
 * @param {import("../lib/word-spans.js").Highlights} highlights
 */
export function preview(text, highlights) {
  return segments(text, highlights).map((segment) =>
    span({ ...segment, text: segment.text.replace(EMPTY_LINES, "\n") }, () => false),
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
  const title = kind === "unread" ? "The network does not know this character" : null;
  return names.length
    ? el("span", { class: names.join(" "), title, text })
    : document.createTextNode(text);
}
