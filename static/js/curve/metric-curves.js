/** The metrics of a run as the page stores them. Pure functions. */

import { memoize } from "../lib/memoize.js";

const LIMIT_POINTS = 1200;

/** @type {MetricCurves} */
export const NO_METRICS = { update: [], metrics: {} };

/**
 * The metrics followed by the points of a message that they do not have yet.
 *
 * @param {MetricCurves} curves
 * @param {MetricPiece} piece
 * @returns {MetricCurves}
 */
export function appendMetrics(curves, { update, metrics }) {
  const last = curves.update.at(-1) ?? 0;
  const fresh = update.findIndex((each) => each > last);
  if (fresh < 0) return curves;
  const part = {
    update: update.slice(fresh),
    metrics: mapBuckets(metrics, (values) => values.slice(fresh)),
  };
  return bounded(concatMetrics([curves, part]));
}

/**
 * The metrics of consecutive ranges as one. A metric that a range lacks has no value there.
 *
 * @param {MetricCurves[]} parts
 * @returns {MetricCurves}
 */
export function concatMetrics(parts) {
  const names = [...new Set(parts.flatMap(({ metrics }) => Object.keys(metrics)))];
  const column = (/** @type {string} */ name, /** @type {"mean" | "low" | "high"} */ of) =>
    parts.flatMap(({ update, metrics }) => metrics[name]?.[of] ?? update.map(() => null));
  return {
    update: parts.flatMap(({ update }) => update),
    metrics: Object.fromEntries(
      names.map((name) => [
        name,
        { mean: column(name, "mean"), low: column(name, "low"), high: column(name, "high") },
      ]),
    ),
  };
}

/** The metrics to draw: those of the whole run, and finer ones of the range that was fetched. */
export const drawnMetrics = memoize(
  (/** @type {WatchState} */ state) => [state.metrics, state.metricDetail],
  ({ metrics, metricDetail }) => {
    if (!metricDetail?.update.length) return metrics;
    const { update } = metricDetail;
    const before = metrics.update.filter((each) => each < update[0]).length;
    const until = metrics.update.filter((each) => each <= update[update.length - 1]).length;
    return concatMetrics([slice(metrics, 0, before), metricDetail, slice(metrics, until)]);
  },
);

/**
 * The buckets between two updates, with one more on each side to draw the line to. There are none
 * if no bucket ends between them.
 *
 * @param {MetricCurves} curves
 * @param {number[]} range
 */
export function metricsBetween(curves, [from, to]) {
  const first = curves.update.findIndex((update) => update >= from);
  const after = curves.update.findIndex((update) => update > to);
  const end = after < 0 ? curves.update.length : after;
  if (first < 0 || first === end) return NO_METRICS;
  return slice(curves, Math.max(first - 1, 0), end + 1);
}

/** @type {(curves: MetricCurves, start: number, end?: number) => MetricCurves} */
const slice = ({ update, metrics }, start, end) => ({
  update: update.slice(start, end),
  metrics: mapBuckets(metrics, (values) => values.slice(start, end)),
});

/**
 * @param {Record<string, MetricBuckets>} metrics
 * @param {(values: (number | null)[], column: "mean" | "low" | "high") => (number | null)[]} change
 */
const mapBuckets = (metrics, change) =>
  Object.fromEntries(
    Object.entries(metrics).map(([name, { mean, low, high }]) => [
      name,
      { mean: change(mean, "mean"), low: change(low, "low"), high: change(high, "high") },
    ]),
  );

/** Merge pairs of neighbours until there are few points. @param {MetricCurves} curves */
function bounded(curves) {
  let reduced = curves;
  while (reduced.update.length > LIMIT_POINTS) reduced = halved(reduced);
  return reduced;
}

/** @param {MetricCurves} curves @returns {MetricCurves} */
function halved({ update, metrics }) {
  const ends = update.map((_, i) => i).filter((i) => i % 2 === 1 || i === update.length - 1);
  const weight = (/** @type {number} */ i) => update[i] - (update[i - 1] ?? 0);
  const meanOf = (/** @type {number} */ a, /** @type {number} */ b, /** @type {number} */ end) =>
    (a * weight(end - 1) + b * weight(end)) / (weight(end - 1) + weight(end));
  return {
    update: ends.map((end) => update[end]),
    metrics: mapBuckets(metrics, (values, column) =>
      ends.map((end) => {
        const [a, b] = [end % 2 ? values[end - 1] : null, values[end]];
        if (a === null || b === null) return a ?? b;
        if (column === "mean") return meanOf(a, b, end);
        return column === "low" ? Math.min(a, b) : Math.max(a, b);
      }),
    ),
  };
}
