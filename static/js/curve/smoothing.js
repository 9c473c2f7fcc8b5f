/** Other smoothings of the loss than the run's own. Pure functions. */

import { lastUpdate } from "./loss-curve.js";

/** The run's own smoothing; the default. */
export const OWN_SMOOTHING = "own";

/** All choices, the default first; "0" is no smoothing. */
export const SMOOTHINGS = [OWN_SMOOTHING, "0", "0.9", "0.99", "0.999", "0.9999"];

/**
 * The factor of a run's smooth loss, as in server/rnn/training/settings.py.
 *
 * @param {Pick<RunSpec, "loss_smoothing" | "sequence_length" | "batch_size">} spec
 */
export const ownFactor = ({ loss_smoothing: chosen, sequence_length: T, batch_size: B }) =>
  chosen ?? Math.max(0.9, 1 - (T * B) / 25_000);

/**
 * The factor of the line that is drawn; null before the run is known.
 *
 * @param {{smoothing: string, run: {spec: RunSpec} | null}} state
 */
export function drawnFactor({ smoothing, run }) {
  if (smoothing !== OWN_SMOOTHING) return Number(smoothing);
  return run && ownFactor(run.spec);
}

/**
 * An estimate of a part of the curve with another smoothing factor.
 *
 * The server computes it exactly from every loss. Until it is asked, the mean loss of each bucket
 * is used instead. It follows from the run's smooth loss before and after the bucket, and is exact
 * for a bucket of one update.
 *
 * @param {CurvePart} part points that follow `runCurve`.
 * @param {number} factor
 * @param {number} own the factor of the run's own curve.
 * @param {Curve} runCurve the run's own curve.
 * @param {Curve} otherCurve the same curve, smoothed by `factor`.
 * @returns {CurvePart}
 */
export function resmooth(part, factor, own, runCurve, otherCurve) {
  let update = lastUpdate(runCurve);
  let smooth = runCurve.smooth.at(-1) ?? null;
  let shown = otherCurve.smooth.at(-1) ?? null;
  const found = part.update.map((end, i) => {
    const updates = end - update;
    const weight = own ** updates;
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
