/**
 * The loss curve as the page stores it: a bounded number of points, however long the run.
 *
 * A point represents a bucket of updates: `update` is the last update of the bucket, `seconds` the
 * training time at that update (null if unknown), `smooth` the smooth loss there, and `low` and
 * `high` the minimum and maximum loss within the bucket. Merging neighbours keeps both extremes, so
 * the drawing stays honest. The greatest bucket size grows with the update near the start and with
 * the length of the run later, so that both a logarithmic and a linear axis have enough detail. All
 * functions are pure: a curve is never changed, only replaced.
 */

/** A curve with more points is merged down to two thirds of this. */
const LIMIT_POINTS = 3000;

/** @typedef {"update" | "seconds" | "smooth" | "low" | "high"} Column */

const POINTS_A_DECADE = 250;
const POINTS_ALONG = 1500;

/** A curve without points. */
export const emptyCurve = () => columns(() => []);

/** The last update of a curve, 0 for an empty one. @param {CurvePart} curve */
export const lastUpdate = (curve) => curve.update.at(-1) ?? 0;

/** A curve from a Loss, or from the `curve` of a progress message. @param {CurvePart} part */
export function curveOf(part) {
  return bounded(slicePoints(part, 0, part.update.length));
}

/**
 * `curve` followed by the points of `part` that it does not have yet.
 *
 * @param {Curve} curve
 * @param {CurvePart} part
 */
export function append(curve, part) {
  const last = lastUpdate(curve);
  const fresh = part.update.findIndex((update) => update > last);
  return fresh < 0 ? curve : bounded(concat(curve, slicePoints(part, fresh, part.update.length)));
}

/**
 * `curve` with the range that `part` covers replaced by the finer points of `part`.
 *
 * @param {Curve} curve
 * @param {CurvePart & {from: number}} part
 */
export function splice(curve, part) {
  if (!part.update.length) return curve;
  const from = lowerBound(curve.update, part.from);
  const to = lowerBound(curve.update, lastUpdate(part) + 1);
  const before = slicePoints(curve, 0, from);
  const after = slicePoints(curve, to, curve.update.length);
  return concat(concat(before, slicePoints(part, 0, part.update.length)), after);
}

/**
 * The points of `curve` between two updates, with one more on each side to draw the line to.
 *
 * @param {CurvePart} curve
 * @param {number} from
 * @param {number} to
 */
export function between(curve, from, to) {
  const start = Math.max(0, lowerBound(curve.update, from) - 1);
  const end = Math.min(curve.update.length, lowerBound(curve.update, to) + 1);
  return slicePoints(curve, start, end);
}

/**
 * Merge neighbours in the same cell, such as points that share a column of pixels.
 *
 * @param {Curve} curve
 * @param {(update: number) => number} cellOf a non-decreasing function.
 */
export function mergeByCell(curve, cellOf) {
  /** @type {number | null} */
  let cell = null;
  return merge(curve, (start, end) => {
    const next = Math.floor(cellOf(end));
    const joins = next === cell;
    cell = next;
    return joins;
  });
}

/**
 * The index of the point whose bucket contains `update`; the last one after the end.
 *
 * @param {CurvePart} curve
 * @param {number} update
 */
export const indexAt = (curve, update) =>
  Math.min(lowerBound(curve.update, update), curve.update.length - 1);

/**
 * The smooth loss at `update`; null for an empty curve.
 *
 * @param {CurvePart} curve
 * @param {number} update
 */
export const smoothAt = (curve, update) => curve.smooth[indexAt(curve, update)] ?? null;

/**
 * The size of the largest bucket between two updates; 1 if there is none.
 *
 * @param {CurvePart} curve
 * @param {number} from
 * @param {number} to
 */
export function largestBucket(curve, from, to) {
  const inside = between(curve, from, to).update.filter((update) => update >= from && update <= to);
  return inside.reduce((most, update, i) => Math.max(most, update - (inside[i - 1] ?? update)), 1);
}

/**
 * The span of losses to show: the whole smooth line and most of the band.
 *
 * @param {CurvePart} curve
 * @returns {[number, number] | null} null for an empty curve.
 */
export function lossSpan(curve) {
  const smooth = curve.smooth.filter(isFinite);
  if (!smooth.length) return null;
  const low = quantile(curve.low, 0.08);
  const high = quantile(curve.high, 0.9);
  return [
    Math.min(
      low,
      smooth.reduce((a, b) => Math.min(a, b)),
    ),
    Math.max(
      high,
      smooth.reduce((a, b) => Math.max(a, b)),
    ),
  ];
}

/**
 * @param {number | null} value
 * @returns {value is number}
 */
function isFinite(value) {
  return Number.isFinite(value);
}

/** Merge down to a bounded number of points. @param {Curve} curve */
function bounded(curve) {
  if (curve.update.length <= LIMIT_POINTS) return curve;
  const end = lastUpdate(curve);
  let reduced = curve;
  for (let slack = 1; reduced.update.length > (LIMIT_POINTS * 2) / 3; slack *= 1.5) {
    const widest = (/** @type {number} */ update) => {
      const proportional = (update * Math.LN10) / POINTS_A_DECADE;
      return Math.max(1, Math.min(proportional, end / POINTS_ALONG)) * slack;
    };
    reduced = merge(curve, (start, until) => until - start <= widest(until));
  }
  return reduced;
}

/**
 * Merge each point into the bucket before it where `joins(start, end)` allows.
 *
 * @param {Curve} curve
 * @param {(start: number, end: number) => boolean} joins
 */
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

// A bucket without a finite loss has null; a known extreme takes precedence.
/** @type {(a: number | null, b: number | null) => number | null} */
const least = (a, b) => (a === null ? b : b === null ? a : Math.min(a, b));
/** @type {(a: number | null, b: number | null) => number | null} */
const greatest = (a, b) => (a === null ? b : b === null ? a : Math.max(a, b));

/**
 * A curve made column by column.
 *
 * @param {(name: Column) => any[]} make
 * @returns {Curve}
 */
const columns = (make) => ({
  update: make("update"),
  seconds: make("seconds"),
  smooth: make("smooth"),
  low: make("low"),
  high: make("high"),
});

/** @type {(a: Curve, b: Curve) => Curve} */
const concat = (a, b) => columns((name) => /** @type {any[]} */ (a[name]).concat(b[name]));

/**
 * A part of a curve. Data of an earlier version has no seconds.
 *
 * @param {CurvePart} curve
 * @param {number} start
 * @param {number} end
 */
export function slicePoints(curve, start, end) {
  const unknown = () => curve.update.map(() => null);
  return columns((name) => (curve[name] ?? unknown()).slice(start, end));
}

/**
 * The index of the first value that is not below `value`, in an ascending array.
 *
 * @param {number[]} values
 * @param {number} value
 */
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

/**
 * @param {(number | null)[]} values
 * @param {number} share
 */
function quantile(values, share) {
  const sorted = values.filter(isFinite).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}
