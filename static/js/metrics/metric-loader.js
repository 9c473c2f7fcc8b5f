/**
 * Fetches finer metrics than those that the messages bring: of a zoom, and of the first updates,
 * which a logarithmic axis and a replay show large.
 */

import { getMetrics, nullOnProblem } from "../net/api.js";
import { lastUpdate } from "../curve/loss-curve.js";
import { concatMetrics } from "../curve/metric-curves.js";
import { drawnCurve, splitRange, viewRange } from "../curve/scales.js";

const POINTS = 600;
const RANGES = 4; // for an axis on which updates are not evenly spaced
const DEBOUNCE_MS = 150;
const EVERY_MS = 5000; // while the run trains; the messages bring the newest metrics
const REPLAY_EVERY_MS = 1000;

/**
 * Keep `state.metricDetail` in step with the run and the view.
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
    store.dispatch({ type: "metricDetail", runId, metrics: concatMetrics(parts) });
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
  const refresh = () => {
    const everyMs = store.get().playback ? REPLAY_EVERY_MS : EVERY_MS;
    schedule(Math.max(0, askedAt + everyMs - performance.now()));
  };
  store.watch(({ run }) => [run?.update], refresh);
  document.addEventListener("visibilitychange", refresh);
}

const visible = () => document.visibilityState === "visible";

/**
 * Whether the metrics are shown in a part of the run, in a replay, or on an axis on which updates
 * are not evenly spaced.
 *
 * @param {WatchState} state
 */
const wanted = ({ metricsShown, curveTab, range, scale, xAxis, playback }) =>
  metricsShown && curveTab === "time" &&
  (range !== null || playback !== null || scale === "log" || xAxis === "seconds");

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
