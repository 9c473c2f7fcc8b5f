/** The vertical scale of a metric's chart, and its values as text. Pure functions. */

const LOG_RATIO = 50; // between the greatest and the least value, for a logarithmic scale
const ROOM = 0.06; // above and below the values, as a share of the height

const significant = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 3 });
const brief = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2 });

/**
 * @typedef {object} MetricScale
 * @property {number} least
 * @property {number} most
 * @property {boolean} log
 * @property {(value: number) => number} toShare the height of a value, from 0 to 1.
 */

/**
 * The scale that shows the least and the greatest value of the buckets; null without values.
 *
 * @param {MetricBuckets} buckets
 * @returns {MetricScale | null}
 */
export function metricScale({ low, high }) {
  const least = low.reduce(lower, null);
  const most = high.reduce(higher, null);
  if (least === null || most === null) return null;
  const log = least > 0 && most / least > LOG_RATIO;
  const position = log ? Math.log : (/** @type {number} */ value) => value;
  const [from, to] = [position(least), position(most)];
  const toShare = (/** @type {number} */ value) =>
    to > from ? ROOM + ((position(value) - from) / (to - from)) * (1 - 2 * ROOM) : 0.5;
  return { least, most, log, toShare };
}

/** @type {(a: number | null, b: number | null) => number | null} */
const lower = (a, b) => (a === null || b === null ? (a ?? b) : Math.min(a, b));
/** @type {(a: number | null, b: number | null) => number | null} */
const higher = (a, b) => (a === null || b === null ? (a ?? b) : Math.max(a, b));

/**
 * The index of the bucket that contains an update; the last one after the end, -1 if there is none.
 *
 * @param {number[]} updates the last update of each bucket, ascending.
 * @param {number} update
 */
export function bucketAt(updates, update) {
  const found = updates.findIndex((end) => end >= update);
  return found < 0 ? updates.length - 1 : found;
}

/**
 * A value with three significant digits: 12.34 -> "12.3", 0.00000321 -> "3.21e-6".
 *
 * @param {number | null | undefined} value
 */
export const metricValue = (value) => asText(value, significant, 2);

/**
 * A limit of the scale, with two significant digits.
 *
 * @param {number} value
 */
export const metricLimit = (value) => asText(value, brief, 0);

/**
 * @param {number | null | undefined} value
 * @param {Intl.NumberFormat} format
 * @param {number} digits after the point of a number with an exponent.
 */
function asText(value, format, digits) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  const plain = size === 0 || (size >= 1e-4 && size < 1e6);
  return plain ? format.format(value) : value.toExponential(digits).replace("e+", "e");
}
