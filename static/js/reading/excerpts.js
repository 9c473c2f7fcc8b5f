/** A few words of a book from a place on, fetched once. */

import { getText } from "../net/api.js";

const CHARACTERS = 110;
const MAX_CACHED = 60;

const cache = new Map(); // by "corpus place", the oldest first

const keyOf = (corpus, position) => `${corpus} ${position}`;

/** The words at a place as a quotation, if they are here; "" otherwise. */
export const excerptAt = (corpus, position) => cache.get(keyOf(corpus, position)) ?? "";

/** Fetch them, if they are not; resolves to whether they came just now. */
export async function fetchExcerpt(corpus, position) {
  const key = keyOf(corpus, position);
  if (cache.has(key)) return false;
  const found = await getText(corpus, position, position + CHARACTERS).catch(() => null);
  if (!found) return false;
  cache.set(key, `“… ${found.text.replace(/\s+/gu, " ").trim()} …”`);
  if (cache.size > MAX_CACHED) cache.delete(cache.keys().next().value);
  return true;
}
