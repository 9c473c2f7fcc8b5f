/** Short excerpts of a corpus, fetched once each. */

import { getText } from "../net/api.js";

const CHARACTERS = 110;
const MAX_CACHED = 60;

const cache = new Map(); // by "corpus position", oldest first

const keyOf = (corpus, position) => `${corpus} ${position}`;

/** The excerpt at a position, in quotation marks; "" if it was not fetched yet. */
export const excerptAt = (corpus, position) => cache.get(keyOf(corpus, position)) ?? "";

/** Fetch an excerpt; resolves to whether it is new. */
export async function fetchExcerpt(corpus, position) {
  const key = keyOf(corpus, position);
  if (cache.has(key)) return false;
  const found = await getText(corpus, position, position + CHARACTERS).catch(() => null);
  if (!found) return false;
  cache.set(key, `“… ${found.text.replace(/\s+/gu, " ").trim()} …”`);
  if (cache.size > MAX_CACHED) cache.delete(cache.keys().next().value);
  return true;
}
