/**
 * From a window of pixels over the plot to the updates that are to be in view. Pure functions.
 *
 * A window is [left, right] in pixels of the picture as it stands; wider than the plot, and less is
 * seen of each; to the left of it, and what came earlier is.
 */

import { finestCurve } from "./scales.js";
import { lastUpdate } from "./loss-curve.js";

const LEAST_UPDATES = 4;
const BEYOND_END = 0.3; // as a share of what is in view

/** The window that shows `factor` times as much, what is at `pixel` staying where it is. */
export const zoomedWindow = (pixel, factor, width) => [
  pixel * (1 - factor),
  pixel + (width - pixel) * factor,
];

/** The window under two fingers that were at pixels `from`, and are at pixels `to`. */
export function pinchedWindow(from, to, width) {
  const apart = (pair) => Math.max(Math.abs(pair[1] - pair[0]), 8);
  const scale = apart(from) / apart(to);
  const middle = ([a, b]) => (a + b) / 2;
  const left = middle(from) - middle(to) * scale;
  return [left, left + width * scale];
}

/**
 * The updates of a window, for the state's `range`: null, which follows the live end, where all of
 * the curve is in it.
 *
 * @param {Object} state
 * @param {Object} scales see curve/scales.js.
 * @param {[number, number]} window
 */
export function windowToRange(state, scales, window) {
  const end = Math.max(lastUpdate(finestCurve(state)), LEAST_UPDATES);
  let [from, to] = window.map(scales.pixelToUpdate);
  if (from <= 1 && to >= end) return null;
  const updates = Math.max(to - from, LEAST_UPDATES);
  const last = end + BEYOND_END * updates;
  from = Math.max(Math.min(from, last - updates), 0);
  return [from, from + updates];
}
