/** Losses that the user measured elsewhere, for the chart. Pure functions. */

import { memoize } from "../lib/memoize.js";

/** @type {OwnCurve} */
const NONE = { update: [], smooth: [], low: [], high: [] };

/**
 * Merge neighbours in the same cell; the extremes of each are kept.
 *
 * @param {OwnCurve} own
 * @param {(update: number) => number} cellOf a non-decreasing function.
 * @returns {OwnCurve}
 */
export function mergeOwn({ update, smooth, low, high }, cellOf) {
  /** @type {OwnCurve} */
  const merged = { update: [], smooth: [], low: [], high: [] };
  let cell = NaN;
  update.forEach((at, i) => {
    const next = Math.floor(cellOf(at));
    if (next !== cell) for (const values of Object.values(merged)) values.push(0);
    const last = merged.update.length - 1;
    merged.low[last] = next === cell ? Math.min(merged.low[last], low[i]) : low[i];
    merged.high[last] = next === cell ? Math.max(merged.high[last], high[i]) : high[i];
    merged.update[last] = at;
    merged.smooth[last] = smooth[i];
    cell = next;
  });
  return merged;
}

/**
 * The part of the losses that is in view, with a point on each side to draw the line to.
 *
 * @type {(own: OwnCurve | undefined, from: number, to: number) => OwnCurve}
 */
export const ownInView = memoize(
  (own, from, to) => [own, from, to],
  (own, from, to) => {
    if (!own) return NONE;
    const first = own.update.findIndex((update) => update >= from);
    const beyond = own.update.findIndex((update) => update > to);
    if (first < 0 || beyond === 0) return NONE;
    const start = Math.max(0, first - 1);
    const end = beyond < 0 ? own.update.length : beyond + 1;
    return {
      update: own.update.slice(start, end),
      smooth: own.smooth.slice(start, end),
      low: own.low.slice(start, end),
      high: own.high.slice(start, end),
    };
  },
);
