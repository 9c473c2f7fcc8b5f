/** Fetches one metric of several runs, for the comparison. */

import { getMetrics, nullOnProblem } from "../net/api.js";

const POINTS = 1000;

/**
 * A metric of a run as a curve; null if the run has no measured update there.
 *
 * @param {string} id of the run.
 * @param {string} name of the metric.
 * @param {[number, number]} updates
 * @param {AbortSignal} signal
 * @returns {Promise<CurvePart | null>}
 */
export async function fetchMetricCurve(id, name, [first, last], signal) {
  const from = Math.max(1, Math.floor(first));
  const to = Math.max(from, Math.ceil(last));
  const found = await nullOnProblem(getMetrics(id, from, to, POINTS, signal, name));
  const buckets = found?.metrics[name];
  if (!found || !buckets) return null;
  return { update: found.update, smooth: buckets.mean, low: buckets.low, high: buckets.high };
}
