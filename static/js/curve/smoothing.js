/** Other smoothings of the loss than the run's own. Pure functions. */

import { lastUpdate } from "./loss-curve.js";

/** The weight of the previous smooth loss, in the run's own smoothing; the default. */
export const DEFAULT_SMOOTHING = "0.999";

/** All choices, the default first; "0" is no smoothing. */
export const SMOOTHINGS = [DEFAULT_SMOOTHING, "0", "0.9", "0.99", "0.9999"];

const DEFAULT_FACTOR = Number(DEFAULT_SMOOTHING);

/**
 * An estimate of a part of the curve with another smoothing factor.
 *
 * The server computes it exactly from every loss. Until it is asked, the mean loss of each bucket
 * is used instead. It follows from the run's smooth loss before and after the bucket, and is exact
 * for a bucket of one update.
 *
 * @param {CurvePart} part points that follow `runCurve`.
 * @param {number} factor
 * @param {Curve} runCurve the run's own curve.
 * @param {Curve} otherCurve the same curve, smoothed by `factor`.
 * @returns {CurvePart}
 */
export function resmooth(part, factor, runCurve, otherCurve) {
  let update = lastUpdate(runCurve);
  let smooth = runCurve.smooth.at(-1) ?? null;
  let shown = otherCurve.smooth.at(-1) ?? null;
  const found = part.update.map((end, i) => {
    const updates = end - update;
    const weight = DEFAULT_FACTOR ** updates;
    const before = smooth;
    [update, smooth] = [end, part.smooth[i]];
    if (smooth === null) return shown;
    const weighted = before === null ? smooth : (smooth - weight * before) / (1 - weight);
    const mean = Math.min(Math.max(weighted, part.low[i] ?? 0), part.high[i] ?? 0);
    const otherWeight = factor ** updates;
    shown = shown === null ? mean : otherWeight * shown + (1 - otherWeight) * mean;
    return shown;
  });
  return { ...part, smooth: found };
}
