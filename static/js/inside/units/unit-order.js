/** The orders of the rows of the heat map. Pure functions. */

/** How many characters are compared for the similarity of units, and how many products in all. */
const MOST_CHARACTERS = 400;
const MOST_PRODUCTS = 3e8;

/**
 * The units in the order of what they follow: the features in the order of their best units, then
 * the units that follow none, by number.
 *
 * @param {FollowedFeature[]} units of one layer.
 * @returns {number[]}
 */
export function orderByFeature(units) {
  const strength = ({ correlation }) => Math.abs(correlation ?? 0);
  /** @type {Map<string | null, number>} */
  const best = new Map();
  for (const unit of units) {
    best.set(unit.feature, Math.max(best.get(unit.feature) ?? 0, strength(unit)));
  }
  const sorted = [...units].sort(
    (a, b) =>
      Number(a.feature === null) - Number(b.feature === null) ||
      (best.get(b.feature) ?? 0) - (best.get(a.feature) ?? 0) ||
      compareText(a.feature ?? "", b.feature ?? "") ||
      strength(b) - strength(a) ||
      a.unit - b.unit,
  );
  return sorted.map(({ unit }) => unit);
}

const compareText = (/** @type {string} */ a, /** @type {string} */ b) => (a < b ? -1 : +(a > b));

/**
 * The units in an order in which neighbours have similar activations: each unit is followed by the
 * one that correlates most with it among those that are left, from unit 0 on.
 *
 * @param {import("./activations.js").Activations} activations
 * @returns {number[]}
 */
export function orderBySimilarity(activations) {
  const { m } = activations;
  const rows = standardised(activations);
  const left = new Set(Array.from({ length: m }, (_, unit) => unit));
  const order = [];
  for (let unit = 0; left.size;) {
    order.push(unit);
    left.delete(unit);
    let [next, greatest] = [unit, -Infinity];
    for (const other of left) {
      const r = product(rows[unit], rows[other]);
      if (r > greatest) [next, greatest] = [other, r];
    }
    unit = next;
  }
  return order;
}

/** The activations of each unit at some of the characters, with mean 0 and norm 1. */
function standardised(/** @type {import("./activations.js").Activations} */ { bytes, n, m }) {
  const most = Math.max(32, Math.min(MOST_CHARACTERS, Math.floor((2 * MOST_PRODUCTS) / m ** 2)));
  const step = Math.max(1, Math.ceil(n / most));
  const count = Math.ceil(n / step);
  return Array.from({ length: m }, (_, unit) => {
    const row = Float32Array.from({ length: count }, (__, i) => bytes[i * step * m + unit]);
    const mean = row.reduce((sum, value) => sum + value, 0) / count;
    const norm = Math.sqrt(row.reduce((sum, value) => sum + (value - mean) ** 2, 0)) || 1;
    return row.map((value) => (value - mean) / norm);
  });
}

function product(/** @type {Float32Array} */ a, /** @type {Float32Array} */ b) {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
