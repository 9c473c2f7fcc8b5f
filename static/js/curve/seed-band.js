/** The band of the runs of a group, which differ in their seeds alone. Pure functions. */

import { memoize } from "../lib/memoize.js";

/** What the band shows: the least and the greatest, one standard deviation, or nothing. */
export const SEED_BANDS = ["range", "deviation", "off"];

/** @type {OwnCurve} */
const NONE = { update: [], smooth: [], low: [], high: [] };

/**
 * The mean of a group's smooth losses as a curve, with the band around it. Where one run is left,
 * it has no standard deviation.
 *
 * @type {(loss: GroupLoss | null, band: string) => OwnCurve}
 */
export const seedCurve = memoize(
  (loss, band) => [loss, band],
  (loss, band) => {
    if (!loss || band === "off") return NONE;
    /** @type {OwnCurve} */
    const curve = { update: [], smooth: [], low: [], high: [] };
    loss.update.forEach((update, i) => {
      const [mean, ends] = [loss.mean[i], bandOf(loss, i, band)];
      if (mean === null || ends === null) return;
      curve.update.push(update);
      curve.smooth.push(mean);
      curve.low.push(ends.low);
      curve.high.push(ends.high);
    });
    return curve;
  },
);

/**
 * A part of the mean of a group as a part of a curve, with what its band is made of.
 *
 * @param {GroupBand & {from: number}} band
 * @returns {CurvePart & {from: number, band: GroupBand}}
 */
export const groupPart = (band) => {
  const { from, update, seconds, mean, low, high } = band;
  return { from, update, seconds, smooth: mean, low, high, band };
};

/**
 * A part of the mean of a group as a part of a curve, from the lower to the upper end of the band.
 *
 * @param {GroupBand} of
 * @param {string} band one of SEED_BANDS.
 * @returns {CurvePart}
 */
export const bandCurve = (of, band) => {
  const ends = of.update.map((_, i) => bandOf(of, i, band));
  return {
    ...{ update: of.update, seconds: of.seconds, smooth: of.mean },
    low: ends.map((each) => each?.low ?? null),
    high: ends.map((each) => each?.high ?? null),
  };
};

/**
 * The ends of the band at a point; null where no run has a value.
 *
 * @param {GroupBand} loss
 * @param {number} i
 * @param {string} band one of SEED_BANDS.
 */
export function bandOf(loss, i, band) {
  const [mean, low, high] = [loss.mean[i], loss.low[i], loss.high[i]];
  if (mean === null || low === null || high === null) return null;
  const deviation = loss.deviation[i] ?? 0;
  return band === "range" ? { low, high } : { low: mean - deviation, high: mean + deviation };
}

/**
 * The mean of the group at an update, and of how many runs; null beyond the last one.
 *
 * @param {GroupLoss | null} loss
 * @param {number} update
 */
export function seedsAt(loss, update) {
  const i = loss ? loss.update.findIndex((each) => each >= update) : -1;
  const mean = i < 0 ? null : (loss?.mean[i] ?? null);
  return mean === null ? null : { mean, runs: loss?.runs[i] ?? 0 };
}
