/** The text of a lesson: paragraphs, with addresses in full as links. Nothing else is formatted. */

import { el } from "../lib/dom.js";

// Only ASCII, so that an address is what it looks like.
const ADDRESS = /https?:\/\/[\x21-\x7e]*[\w/#=&-]/giu;
// Characters that are invisible or change the direction of others.
const CONTROLS = /[^\P{Cc}\n]|\p{Bidi_Control}/gu;

/**
 * @param {string} text
 * @returns {HTMLElement[]}
 */
export const paragraphsOf = (text) =>
  plain(text)
    .split(/\n\s*\n/u)
    .map((paragraph) => paragraph.trim())
    .filter(Boolean)
    .map((paragraph) => el("p", { dir: "auto" }, ...withLinks(paragraph)));

/** @param {string} text */
export const plain = (text) => text.replaceAll("\r\n", "\n").replace(CONTROLS, " ");

/** @param {string} text */
function withLinks(text) {
  /** @type {(Node | string)[]} */
  const parts = [];
  let end = 0;
  for (const { 0: address, index } of text.matchAll(ADDRESS)) {
    parts.push(text.slice(end, index));
    parts.push(el("a", { href: address, rel: "noopener noreferrer", text: address }));
    end = index + address.length;
  }
  return [...parts, text.slice(end)];
}
