/** Pages and chapters of a corpus, and how a sentence names a character. */

import { isolateDirection } from "./format.js";

const CHARACTERS_PER_PAGE = 1800;

/**
 * The number of pages of a text.
 *
 * @param {number} characters
 */
export const bookPageCount = (characters) =>
  Math.max(Math.ceil(characters / CHARACTERS_PER_PAGE), 1);

/**
 * The page, from 1, of a position in a text.
 *
 * @param {number} position
 * @param {number} characters of the whole text.
 */
export const bookPageAt = (position, characters) =>
  Math.min(Math.floor(position / CHARACTERS_PER_PAGE) + 1, bookPageCount(characters));

/**
 * The pages before a position, including the fraction of its own page.
 *
 * @param {number} position
 */
export const bookPagesBefore = (position) => position / CHARACTERS_PER_PAGE;

/**
 * The heading of the chapter at a position; null before the first one and in a text without any.
 *
 * @param {[number, string][] | undefined} headings
 * @param {number} position
 */
export const chapterAt = (headings, position) =>
  (headings ?? []).findLast(([at]) => at <= position)?.[1] ?? null;

const CHARACTER_NAMES = new Map([
  ["\n", "a line break"],
  [" ", "a space"],
  ["\t", "a tab"],
  ["\u00a0", "a no-break space"],
]);

/**
 * A character in a sentence: ‘Q’, a space.
 *
 * @param {string} character
 */
export const characterName = (character) =>
  CHARACTER_NAMES.get(character) ?? `‘${isolateDirection(character)}’`;
