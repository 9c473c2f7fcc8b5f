/**
 * The loss curve as the page holds it: a bounded number of points whatever the run's length.
 *
 * A point stands for a bucket of updates: `update` is the bucket's last one, `seconds` how long the
 * run had trained by then (null where it is not known), `smooth` the smooth loss there, `low` and
 * `high` the least and greatest loss within. Merging neighbours keeps both
 * extremes, so that what is drawn stays honest. Buckets are let grow in proportion to the update
 * near the start and to the run's length later, so that both a logarithmic and a linear axis find
 * the detail they can show. Every function is pure: a curve is never changed, only replaced.
 *
 * @typedef {{update: number[], seconds: number[], smooth: number[], low: number[], high: number[]}}
 *   Curve
 */

/** More points than this are merged down to two thirds of it. */
export const LIMIT_POINTS = 3000;

const COLUMNS = ["update", "seconds", "smooth", "low", "high"];
const POINTS_A_DECADE = 250;
const POINTS_ALONG = 1500;

/** A curve without points. */
export const emptyCurve = () => columns(() => []);

/** The last update of a curve, 0 for an empty one. */
export const lastUpdate = (curve) => curve.update.at(-1) ?? 0;

/** A curve from the contract's Loss (or the `curve` of a progress message). */
export function curveOf(part) {
  return bounded(sliceOf(part, 0, part.update.length));
}

/** `curve` followed by the points of `part` that it has not got already. */
export function append(curve, part) {
  const last = lastUpdate(curve);
  const fresh = part.update.findIndex((update) => update > last);
  return fresh < 0 ? curve : bounded(concat(curve, sliceOf(part, fresh, part.update.length)));
}

/** `curve` with the range that `part` covers replaced by `part`'s own, finer points. */
export function splice(curve, part) {
  if (!part.update.length) return curve;
  const from = lowerBound(curve.update, part.from);
  const to = lowerBound(curve.update, lastUpdate(part) + 1);
  const before = sliceOf(curve, 0, from);
  const after = sliceOf(curve, to, curve.update.length);
  return concat(concat(before, sliceOf(part, 0, part.update.length)), after);
}

/** The points of `curve` between two updates, with one more on each side to draw the line in. */
export function between(curve, from, to) {
  const start = Math.max(0, lowerBound(curve.update, from) - 1);
  const end = Math.min(curve.update.length, lowerBound(curve.update, to) + 1);
  return sliceOf(curve, start, end);
}

/**
 * Merge neighbours that fall into the same cell, as when several points share a pixel column.
 *
 * @param {Curve} curve
 * @param {(update: number) => number} cellOf a function that never falls.
 */
export function mergeByCell(curve, cellOf) {
  let cell = null;
  return merge(curve, (start, end) => {
    const next = Math.floor(cellOf(end));
    const joins = next === cell;
    cell = next;
    return joins;
  });
}

/** The index of the point whose bucket holds `update`; the last one for an update past the end. */
export const indexAt = (curve, update) =>
  Math.min(lowerBound(curve.update, update), curve.update.length - 1);

/** The smooth loss at `update`, or null for an empty curve. */
export const smoothAt = (curve, update) => curve.smooth[indexAt(curve, update)] ?? null;

/** The most updates that a point between two updates stands for, 1 where there are none. */
export function largestBucket(curve, from, to) {
  const inside = between(curve, from, to).update.filter((update) => update >= from && update <= to);
  return inside.reduce((most, update, i) => Math.max(most, update - (inside[i - 1] ?? update)), 1);
}

/**
 * The span of losses worth showing: the whole smooth line, and the bulk of the band.
 *
 * @returns {[number, number] | null} null for a curve without points.
 */
export function lossSpan(curve) {
  const smooth = curve.smooth.filter(Number.isFinite);
  if (!smooth.length) return null;
  const low = quantile(curve.low, 0.08);
  const high = quantile(curve.high, 0.9);
  return [
    Math.min(low, smooth.reduce((a, b) => Math.min(a, b))),
    Math.max(high, smooth.reduce((a, b) => Math.max(a, b))),
  ];
}

/** Merge down to a bounded number of points when there are too many. */
function bounded(curve) {
  if (curve.update.length <= LIMIT_POINTS) return curve;
  const end = lastUpdate(curve);
  let reduced = curve;
  for (let slack = 1; reduced.update.length > (LIMIT_POINTS * 2) / 3; slack *= 1.5) {
    const widest = (update) => {
      const proportional = (update * Math.LN10) / POINTS_A_DECADE;
      return Math.max(1, Math.min(proportional, end / POINTS_ALONG)) * slack;
    };
    reduced = merge(curve, (start, until) => until - start <= widest(until));
  }
  return reduced;
}

/** Merge each point into the bucket before it where `joins(start, end)` allows. */
function merge(curve, joins) {
  const merged = emptyCurve();
  let start = 0; // the last update before the bucket at the end of `merged`
  for (let i = 0; i < curve.update.length; i += 1) {
    const end = curve.update[i];
    const last = merged.update.length - 1;
    const joined = joins(start, end);
    if (joined && last >= 0) {
      merged.update[last] = end;
      merged.seconds[last] = curve.seconds[i];
      merged.smooth[last] = curve.smooth[i];
      merged.low[last] = least(merged.low[last], curve.low[i]);
      merged.high[last] = greatest(merged.high[last], curve.high[i]);
    } else {
      start = merged.update[last] ?? 0;
      merged.update.push(end);
      merged.seconds.push(curve.seconds[i]);
      merged.smooth.push(curve.smooth[i]);
      merged.low.push(curve.low[i]);
      merged.high.push(curve.high[i]);
    }
  }
  return merged;
}

// A bucket of losses that were not finite carries null; a known extreme wins over it.
const least = (a, b) => (a === null ? b : b === null ? a : Math.min(a, b));
const greatest = (a, b) => (a === null ? b : b === null ? a : Math.max(a, b));

/** A curve whose columns are what `make` makes of their names. */
const columns = (make) => Object.fromEntries(COLUMNS.map((name) => [name, make(name)]));

const concat = (a, b) => columns((name) => a[name].concat(b[name]));

/** A piece of a curve; a server of an earlier version has no seconds. */
function sliceOf(curve, start, end) {
  const unknown = () => curve.update.map(() => null);
  return columns((name) => (curve[name] ?? unknown()).slice(start, end));
}

/** The index of the first value that is not below `value`, in an ascending array. */
function lowerBound(values, value) {
  let low = 0;
  let high = values.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function quantile(values, share) {
  const sorted = values.filter(Number.isFinite).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
