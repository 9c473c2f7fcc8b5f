/**
 * From a window of pixels over the plot to the updates that it should show. Pure functions.
 *
 * A window is [left, right] in pixels of the current plot. A window wider than the plot zooms out;
 * a window further to the left shows earlier updates.
 *
 * @typedef {[number, number]} Pair
 */

import { finestCurve } from "./scales.js";
import { lastUpdate } from "./loss-curve.js";

const LEAST_UPDATES = 4;
const BEYOND_END = 0.3; // as a share of the updates in view

/**
 * The window that shows `factor` times as much and leaves `pixel` in place.
 *
 * @param {number} pixel
 * @param {number} factor
 * @param {number} width of the plot.
 * @returns {Pair}
 */
export const zoomedWindow = (pixel, factor, width) => [
  pixel * (1 - factor),
  pixel + (width - pixel) * factor,
];

/**
 * The window for two fingers that moved from the pixels `from` to the pixels `to`.
 *
 * @param {number[]} from
 * @param {number[]} to
 * @param {number} width of the plot.
 * @returns {Pair}
 */
export function pinchedWindow(from, to, width) {
  const distance = (/** @type {number[]} */ [a, b]) => Math.max(Math.abs(b - a), 8);
  const scale = distance(from) / distance(to);
  const middle = (/** @type {number[]} */ [a, b]) => (a + b) / 2;
  const left = middle(from) - middle(to) * scale;
  return [left, left + width * scale];
}

/**
 * The updates of a window, for `state.range`. Null if the window contains the whole curve: the view
 * then follows the live end.
 *
 * @param {WatchState} state
 * @param {ChartScales} scales
 * @param {Pair} window
 * @returns {Pair | null}
 */
export function windowToRange(state, scales, window) {
  const end = Math.max(lastUpdate(finestCurve(state)), LEAST_UPDATES);
  let from = scales.pixelToUpdate(window[0]);
  const to = scales.pixelToUpdate(window[1]);
  if (from <= 1 && to >= end) return null;
  const updates = Math.max(to - from, LEAST_UPDATES);
  const last = end + BEYOND_END * updates;
  from = Math.max(Math.min(from, last - updates), 0);
  return [from, from + updates];
}
