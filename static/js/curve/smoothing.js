/** The loss smoothed otherwise than the run smooths it. Pure functions. */

import { lastUpdate } from "./loss-curve.js";

/** How much of the smooth loss an update leaves, in the run's own; it is what goes unsaid. */
export const DEFAULT_SMOOTHING = "0.999";

/** What can be chosen, the run's own first; "0" is every loss as it is. */
export const SMOOTHINGS = [DEFAULT_SMOOTHING, "0", "0.9", "0.99", "0.9999"];

const DEFAULT_FACTOR = Number(DEFAULT_SMOOTHING);

/**
 * What a piece of the run's curve looks like smoothed by another factor.
 *
 * The server works this out from every loss; until it is asked, the mean loss of each bucket will
 * do. It follows from the run's runCurve smooth loss before and after the bucket, exactly where the
 * bucket is a single update.
 *
 * @param {Object} part points that follow `runCurve`, see curve/loss-curve.js.
 * @param {number} factor
 * @param {Object} runCurve the run's curve.
 * @param {Object} otherCurve the same curve, smoothed by `factor`.
 */
export function resmooth(part, factor, runCurve, otherCurve) {
  let [update, smooth] = [lastUpdate(runCurve), runCurve.smooth.at(-1) ?? null];
  let shown = otherCurve.smooth.at(-1) ?? null;
  const found = part.update.map((end, i) => {
    const updates = end - update;
    const weight = DEFAULT_FACTOR ** updates;
    const before = smooth;
    [update, smooth] = [end, part.smooth[i]];
    if (smooth === null) return shown;
    const weighted = before === null ? smooth : (smooth - weight * before) / (1 - weight);
    const mean = Math.min(Math.max(weighted, part.low[i]), part.high[i]);
    const otherWeight = factor ** updates;
    shown = shown === null ? mean : otherWeight * shown + (1 - otherWeight) * mean;
    return shown;
  });
  return { ...part, smooth: found };
}
