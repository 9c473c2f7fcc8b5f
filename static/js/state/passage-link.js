/**
 * A passage request in the parameters of a URL: the model, the seed and the settings. The same link
 * gives the same text as long as the server has the model; see docs/decisions/shared-passages.md.
 *
 * `?passage=54692-0f3a...&seed=7&length=1000&temperature=1`: the update and the fingerprint of
 * the model, or the name of a model such as "best". Several temperatures are shown side by side.
 */

import { rooted } from "../lib/dom.js";
import { LIMITS } from "../lib/limits.js";

const MODEL = /^(\d{1,15})-([0-9a-f]{24})$/;
/** The server refuses request lines of 64 KB. In a URL a character has up to 12. */
const LIMIT_URL = 60_000;

const NAMES = /^(best|best_validation|latest|[0-9a-f]{12})$/;

/**
 * Whether a source is one exact model, identified by its fingerprint.
 *
 * @param {PassageRequest["source"]} source
 * @returns {source is {update: number, model: string}}
 */
export const isExact = (source) => typeof source === "object" && Boolean(source.model);

/** @param {PassageRequest["source"]} source */
const formatSource = (source) =>
  typeof source === "object" ? `${source.update}-${source.model}` : source;

/**
 * @param {string} text
 * @returns {PassageRequest["source"] | null}
 */
function parseSource(text) {
  const [, update, model] = MODEL.exec(text) ?? [];
  if (model) return { update: Number(update), model };
  return NAMES.test(text) ? text : null;
}

/**
 * A number between two others, or `fallback`.
 *
 * @template T
 * @param {string | null} text
 * @param {number} least
 * @param {number} most
 * @param {T} fallback
 */
function numberOr(text, least, most, fallback) {
  const value = text === null || text.trim() === "" ? NaN : Number(text);
  return value >= least && value <= most ? value : fallback;
}

/**
 * Add a passage request to the parameters of a URL, unless its prime makes the URL too long for the
 * server. Without its prime the request would be for another text, so nothing of it is added.
 *
 * @param {URLSearchParams} params
 * @param {PassageRequest | null} passage
 * @returns {boolean} false if the URL would be too long.
 */
export function setPassageParams(params, passage) {
  if (!passage) return true;
  const prime = new URLSearchParams({ prime: passage.prime ?? "" });
  if (prime.toString().length > LIMIT_URL) return false;
  params.set("passage", formatSource(passage.source));
  params.set("seed", String(passage.seed));
  params.set("length", String(passage.length));
  const temperatures = passage.temperatures ?? [passage.temperature];
  params.set(passage.temperatures ? "temperatures" : "temperature", temperatures.join(" "));
  if (passage.top_k !== null) params.set("top_k", String(passage.top_k));
  if (passage.top_p !== null) params.set("top_p", String(passage.top_p));
  if (passage.prime) params.set("prime", passage.prime);
  return true;
}

/**
 * The passage request in the parameters of a URL, or null.
 *
 * @param {URLSearchParams} params
 * @returns {PassageRequest | null}
 */
export function passageFromParams(params) {
  const source = parseSource(params.get("passage") ?? "");
  if (source === null) return null;
  const temperatures = (params.get("temperatures") ?? "")
    .split(/[\s,]+/u)
    .map((text) => numberOr(text, 0, LIMITS.temperature, null))
    .filter((value) => value !== null)
    .slice(0, LIMITS.temperatures);
  const topK = numberOr(params.get("top_k"), 1, 1e6, null);
  return {
    source,
    seed: Math.round(numberOr(params.get("seed"), 0, LIMITS.seed, 0)),
    length: Math.round(numberOr(params.get("length"), 1, LIMITS.passage_characters, 1000)),
    temperature: numberOr(params.get("temperature"), 0, LIMITS.temperature, 1),
    temperatures: temperatures.length ? temperatures : null,
    top_k: topK && Math.round(topK),
    top_p: numberOr(params.get("top_p"), 1e-9, 1, null),
    prime: (params.get("prime") ?? "").slice(0, LIMITS.prime_characters),
  };
}

/**
 * A link that opens a passage of a run; null if it would be too long.
 *
 * @param {string} run
 * @param {PassageRequest} passage
 */
export function passageUrl(run, passage) {
  const params = new URLSearchParams({ run });
  return setPassageParams(params, passage) ? `${location.origin}${rooted("/")}?${params}` : null;
}
