/** Fetches finer points of each run for the zoomed range, and the metric in view. */

import { getGroupLoss, getLoss, nullOnProblem } from "../net/api.js";
import { between, lastUpdate } from "../curve/loss-curve.js";
import { groupPart } from "../curve/seed-band.js";
import { fetchGroupMetric, fetchMetricCurve } from "../metrics/compared-metric.js";
import { metricInView, visibleGroups, visibleRuns, visibleIds } from "./reducers.js";

const POINTS = 1000;
const ENOUGH_POINTS = 700;
const DEBOUNCE_MS = 200;
const METRIC_EVERY_MS = 2000;

/**
 * Keep `state.details` in step with `state.range`.
 *
 * @param {CompareStore} store
 */
export function fetchDetails(store) {
  /** @type {number | undefined} */
  let timer;
  /** @type {AbortController | undefined} */
  let request;
  store.watch(
    (state) => [state.range, state.x, visibleIds(state).join()],
    (range) => {
      clearTimeout(timer);
      request?.abort();
      if (!range) return;
      request = new AbortController();
      const { signal } = request;
      timer = setTimeout(() => {
        const state = store.get();
        for (const live of visibleRuns(state)) {
          fetchOne(store, live, updatesOf(state, live), signal);
        }
      }, DEBOUNCE_MS);
    },
  );
  // Runs that reach the range change the mean there.
  store.watch(
    (state) => visibleGroups(state).map(({ group }) => group?.loss),
    () => {
      const state = store.get();
      if (!state.range || !request) return;
      for (const live of visibleGroups(state)) {
        fetchOne(store, live, updatesOf(state, live), request.signal);
      }
    },
  );
}

/**
 * @param {CompareStore} store
 * @param {ComparedRun} compared
 * @param {[number, number]} updates
 * @param {AbortSignal} signal
 */
async function fetchOne(store, { id, curve, group }, [first, last], signal) {
  const from = Math.max(1, Math.floor(first));
  const to = Math.min(Math.ceil(last), lastUpdate(curve));
  const points = between(curve, from, to).update.length;
  if (to - from < 2 || points >= Math.min(ENOUGH_POINTS, to - from)) return;
  const detail = group
    ? await fetchGroup(id, from, to, signal)
    : await nullOnProblem(getLoss(id, from, to, POINTS, signal));
  if (detail) store.dispatch({ type: "detail", id, detail });
}

/**
 * @param {string} id
 * @param {number} from
 * @param {number} to
 * @param {AbortSignal} signal
 */
async function fetchGroup(id, from, to, signal) {
  const loss = await nullOnProblem(getGroupLoss(id, { from, to, points: POINTS }, signal));
  return loss && groupPart(loss);
}

/**
 * Keep `state.metricCurves` in step with the metric, the runs and the range in view.
 *
 * @param {CompareStore} store
 */
export function fetchMetricCurves(store) {
  /** @type {number | undefined} */
  let timer;
  /** @type {AbortController | undefined} */
  let request;
  let fetchedFor = "";

  async function fetchAll() {
    const state = store.get();
    const metric = metricInView(state);
    const shown = visibleRuns(state).filter(({ run }) => run.update > 0);
    if (!metric || !shown.length || document.visibilityState !== "visible") return;
    const own = (request = new AbortController());
    const found = await Promise.all(
      shown.map((live) => {
        const fetchCurve = live.group ? fetchGroupMetric : fetchMetricCurve;
        return fetchCurve(live.id, metric.name, updatesOf(state, live), own.signal);
      }),
    );
    if (own.signal.aborted) return;
    const curves = Object.fromEntries(shown.map(({ id }, i) => [id, found[i]]));
    const known = Object.entries(curves).filter(([, curve]) => curve);
    store.dispatch({
      type: "metricCurves",
      metric: metric.name,
      curves: Object.fromEntries(known),
    });
  }

  store.watch(
    (state) => [
      ...[metricInView(state), state.range, state.x],
      visibleRuns(state)
        .map(({ id }) => id)
        .join(),
    ],
    () => {
      clearTimeout(timer);
      request?.abort();
      timer = setTimeout(fetchAll, DEBOUNCE_MS);
    },
  );
  // While runs train, and once after each has ended.
  setInterval(() => {
    const updates = visibleRuns(store.get()).map(
      ({ id, run, group }) =>
        `${id} ${group ? group.figures.map((each) => each.run.update) : run.update}`,
    );
    if (updates.join() === fetchedFor) return;
    fetchedFor = updates.join();
    fetchAll();
  }, METRIC_EVERY_MS);
}

/**
 * The updates of a run within the zoomed range.
 *
 * @param {CompareState} state
 * @param {ComparedRun} compared
 * @returns {[number, number]}
 */
function updatesOf({ x, range }, { run, curve }) {
  if (!range) return [1, lastUpdate(curve)];
  const [from, to] = [range[0], Math.min(range[1], Number.MAX_SAFE_INTEGER)];
  if (x === "epochs") return [from * run.updates_per_epoch, to * run.updates_per_epoch];
  if (x === "updates") return [from, to];
  const { seconds } = curve;
  const first = seconds.findIndex((each) => each !== null && each >= from);
  const beyond = seconds.findIndex((each) => each !== null && each > to);
  return [
    curve.update[Math.max(first - 1, 0)] ?? 1,
    curve.update[beyond < 0 ? curve.update.length - 1 : beyond] ?? 1,
  ];
}
