/** Fetches one metric of several runs and groups, for the comparison. */

import { getGroupMetrics, getMetrics, nullOnProblem } from "../net/api.js";
import { groupPart } from "../curve/seed-band.js";

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
export async function fetchMetricCurve(id, name, updates, signal) {
  const [from, to] = wholeRange(updates);
  const found = await nullOnProblem(getMetrics(id, from, to, POINTS, signal, name));
  const buckets = found?.metrics[name];
  if (!found || !buckets) return null;
  return { update: found.update, smooth: buckets.mean, low: buckets.low, high: buckets.high };
}

/**
 * A metric of a group: the mean of its runs as a curve, with the band around it; null if no run has
 * a measured update there.
 *
 * @param {string} id of the group.
 * @param {string} name of the metric.
 * @param {[number, number]} updates
 * @param {AbortSignal} signal
 * @returns {Promise<ReturnType<typeof groupPart> | null>}
 */
export async function fetchGroupMetric(id, name, updates, signal) {
  const [from, to] = wholeRange(updates);
  const found = await nullOnProblem(getGroupMetrics(id, from, to, POINTS, signal, name));
  const band = found?.metrics[name];
  return found && band ? groupPart({ from: found.from, update: found.update, ...band }) : null;
}

/** @param {[number, number]} updates @returns {[number, number]} */
function wholeRange([first, last]) {
  const from = Math.max(1, Math.floor(first));
  return [from, Math.max(from, Math.ceil(last))];
}
