/** The corpus as a book: which page a place is on. */

import { isolateDirection } from "./format.js";

const CHARACTERS_A_PAGE = 1800;

/** How many pages a text of so many characters has. */
export const pageCount = (characters) => Math.max(Math.ceil(characters / CHARACTERS_A_PAGE), 1);

/** The page, from 1, of a place in a text. */
export const pageAt = (position, characters) =>
  Math.min(Math.floor(position / CHARACTERS_A_PAGE) + 1, pageCount(characters));

/** How many pages lie before a place, with the fraction of the one that it is on. */
export const pagesBefore = (position) => position / CHARACTERS_A_PAGE;

/** The heading of the chapter that a place is in, null before the first and in a book without. */
export const chapterAt = (headings, position) =>
  (headings ?? []).findLast(([at]) => at <= position)?.[1] ?? null;

const CHARACTER_NAMES = new Map([
  ["\n", "a line’s end"],
  [" ", "a space"],
  ["\t", "a tab"],
  ["\u00a0", "a no-break space"],
]);

/** A character as a sentence names it: ‘Q’, a space. */
export const characterName = (character) => CHARACTER_NAMES.get(character) ?? `‘${isolateDirection(character)}’`;
