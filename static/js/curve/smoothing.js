/** The loss smoothed otherwise than the run smooths it. Pure functions. */

import { lastUpdate } from "./loss-curve.js";

/** How much of the smooth loss an update leaves, in the run's own; it is what goes unsaid. */
export const OWN = "0.999";

/** What can be chosen, the run's own first; "0" is every loss as it is. */
export const SMOOTHINGS = [OWN, "0", "0.9", "0.99", "0.9999"];

const OWN_FACTOR = Number(OWN);

/**
 * What a piece of the run's curve looks like smoothed by another factor.
 *
 * The server works this out from every loss; until it is asked, the mean loss of each bucket will
 * do. It follows from the run's own smooth loss before and after the bucket, exactly where the
 * bucket is a single update.
 *
 * @param {Object} part points that follow `own`, see curve/loss-curve.js.
 * @param {number} factor
 * @param {Object} own the run's curve.
 * @param {Object} other the same curve, smoothed by `factor`.
 */
export function resmoothed(part, factor, own, other) {
  let [update, smooth] = [lastUpdate(own), own.smooth.at(-1) ?? null];
  let shown = other.smooth.at(-1) ?? null;
  const found = part.update.map((end, i) => {
    const updates = end - update;
    const kept = OWN_FACTOR ** updates;
    const before = smooth;
    [update, smooth] = [end, part.smooth[i]];
    if (smooth === null) return shown;
    const weighted = before === null ? smooth : (smooth - kept * before) / (1 - kept);
    const mean = Math.min(Math.max(weighted, part.low[i]), part.high[i]);
    const left = factor ** updates;
    shown = shown === null ? mean : left * shown + (1 - left) * mean;
    return shown;
  });
  return { ...part, smooth: found };
}
