/** Fetches finer points of each run for the zoomed range. */

import { getLoss, nullOnProblem } from "../net/api.js";
import { between, lastUpdate } from "../curve/loss-curve.js";
import { visibleRuns, visibleIds } from "./reducers.js";

const POINTS = 1000;
const ENOUGH_POINTS = 700;
const DEBOUNCE_MS = 200;

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
        for (const live of visibleRuns(state))
          fetchOne(store, live, updatesOf(state, live), signal);
      }, DEBOUNCE_MS);
    },
  );
}

/**
 * @param {CompareStore} store
 * @param {ComparedRun} compared
 * @param {[number, number]} updates
 * @param {AbortSignal} signal
 */
async function fetchOne(store, { id, curve }, [first, last], signal) {
  const from = Math.max(1, Math.floor(first));
  const to = Math.min(Math.ceil(last), lastUpdate(curve));
  const points = between(curve, from, to).update.length;
  if (to - from < 2 || points >= Math.min(ENOUGH_POINTS, to - from)) return;
  const detail = await nullOnProblem(getLoss(id, from, to, POINTS, signal));
  if (detail) store.dispatch({ type: "detail", id, detail });
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
