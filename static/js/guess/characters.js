/** How characters are shown and named on the page of the game. */

import { el } from "../lib/dom.js";
import { characterLabel } from "../standalone/characters.js";

/** @type {Record<string, string>} */
const GLYPHS = { " ": "␣", "\n": "↵", "\t": "⇥" };

/** A character that can be seen: "e", "␣" for a space. @param {string} character */
export const glyphOf = (character) => GLYPHS[character] ?? characterLabel(character);

/** A glyph, and the name of one that a screen reader cannot read. @param {string} character */
export function namedGlyph(character) {
  if (!GLYPHS[character]) return [glyphOf(character)];
  return [
    el("span", { "aria-hidden": "true", text: GLYPHS[character] }),
    el("span", { class: "visually-hidden", text: characterLabel(character) }),
  ];
}

/** For a button: "e", "␣ space". @param {string} character */
export const buttonLabel = (character) =>
  GLYPHS[character] ? `${GLYPHS[character]} ${characterLabel(character)}` : glyphOf(character);

/** In a sentence: “e”, or a space. @param {string} character */
export function inSentence(character) {
  const label = characterLabel(character);
  return label === character ? `“\u2068${label}\u2069”` : `a ${label}`.replace("a U+", "U+");
}
