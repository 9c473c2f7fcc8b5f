/** Fetches the metrics of the updates in view, while their charts are shown. */

import { getMetrics, nullOnProblem } from "../net/api.js";
import { lastUpdate } from "../curve/loss-curve.js";
import { drawnCurve, splitRange, viewRange } from "../curve/scales.js";

const POINTS = 600;
const RANGES = 4; // for an axis on which updates are not evenly spaced
const DEBOUNCE_MS = 150;
const EVERY_MS = 1000; // while the run trains; the server's answers are as old

/**
 * Keep `state.metrics` in step with the run and the view.
 *
 * @param {WatchStore} store
 */
export function fetchMetrics(store) {
  /** @type {ReturnType<typeof setTimeout> | null} */
  let timer = null;
  /** @type {AbortController | null} */
  let request = null;
  let askedAt = -Infinity;

  async function fetchView() {
    timer = null;
    const state = store.get();
    const { runId } = state;
    const ranges = visible() && wanted(state) ? rangesInView(state) : [];
    if (!runId || !ranges.length) return;
    request?.abort();
    const own = (request = new AbortController());
    askedAt = performance.now();
    const points = Math.floor(POINTS / ranges.length);
    const asked = ranges.map(([from, to]) =>
      nullOnProblem(getMetrics(runId, from, to, points, own.signal)),
    );
    const parts = (await Promise.all(asked)).filter((part) => part !== null);
    if (parts.length < ranges.length || own.signal.aborted) return;
    store.dispatch({ type: "metrics", runId, metrics: joined(parts) });
  }

  function schedule(/** @type {number} */ delayMs) {
    timer ??= setTimeout(fetchView, delayMs);
  }

  store.watch(
    (state) => [
      ...[wanted(state), state.runId, state.range, state.scale, state.xAxis],
      ...[state.refining, drawnCurve(state).update.length > 0],
    ],
    () => {
      if (timer !== null) clearTimeout(timer);
      timer = null;
      request?.abort();
      schedule(DEBOUNCE_MS);
    },
  );
  const refresh = () => schedule(Math.max(0, askedAt + EVERY_MS - performance.now()));
  store.watch(({ run }) => [run?.update], refresh);
  document.addEventListener("visibilitychange", refresh);
}

const visible = () => document.visibilityState === "visible";

/** @param {WatchState} state */
const wanted = ({ metricsShown, curveTab }) => metricsShown && curveTab === "time";

/**
 * The ranges of updates to fetch, of equal width on the screen.
 *
 * @param {WatchState} state
 */
function rangesInView(state) {
  const [start, end] = viewRange(state);
  const from = Math.max(1, Math.floor(start));
  const to = Math.min(Math.ceil(end), lastUpdate(drawnCurve(state)));
  if (to < from) return [];
  const even = state.scale !== "log" && state.xAxis !== "seconds";
  return splitRange(state, from, to, even ? 1 : RANGES);
}

/**
 * The metrics of consecutive ranges as one. A metric that a range lacks has no value there.
 *
 * @param {Metrics[]} parts
 * @returns {MetricCurves}
 */
function joined(parts) {
  const names = [...new Set(parts.flatMap(({ metrics }) => Object.keys(metrics)))];
  const columnOf = (/** @type {string} */ name, /** @type {"mean" | "low" | "high"} */ column) =>
    parts.flatMap(({ update, metrics }) => metrics[name]?.[column] ?? update.map(() => null));
  return {
    update: parts.flatMap(({ update }) => update),
    metrics: Object.fromEntries(
      names.map((name) => [
        name,
        { mean: columnOf(name, "mean"), low: columnOf(name, "low"), high: columnOf(name, "high") },
      ]),
    ),
  };
}
