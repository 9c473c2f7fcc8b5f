/**
 * Fetches finer points than the page stores: for the range of a zoom, for the first updates, which
 * a logarithmic axis shows large, for a run that is still short, and for another smoothing than the
 * run's own.
 */

import { getLoss, nullOnProblem } from "../net/api.js";
import { between, largestBucket, lastUpdate } from "./loss-curve.js";
import { drawnCurve, splitRange } from "./scales.js";
import { OWN_SMOOTHING } from "./smoothing.js";

const POINTS = 1500;
const ENOUGH_POINTS = 1000;
const RANGES = 4; // for an axis on which updates are not evenly spaced
const DEBOUNCE_MS = 150;
const START_BUCKETS = 20;
const FINER = 12;
const SHORT_RUN_UPDATES = 1000; // up to here there is space to draw each loss
const SHORT_RUN_EVERY_MS = 500;
const TAIL_EVERY_MS = 3000;
const TAIL_POINTS = 300;

/**
 * Keep `state.detail` in step with `state.range`.
 *
 * @param {WatchStore} store
 */
export function fetchDetailOnZoom(store) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {AbortController | null} */
  let request = null;
  store.watch(
    (state) => [
      ...[state.range, state.runId, drawnCurve(state).update.length > 1],
      ...[state.smoothing, state.scale, state.xAxis],
      state.refining, // a new snapshot discards what was fetched before
    ],
    (range, runId, known, smoothing) => {
      clearTimeout(timer);
      request?.abort();
      if (!range || !runId || !known) return;
      timer = setTimeout(async () => {
        const ranges = detailRanges(store.get());
        if (!ranges) return;
        request = new AbortController();
        const { signal } = request;
        const points = Math.floor(POINTS / ranges.length);
        const asked = ranges.map(([from, to]) =>
          nullOnProblem(getLoss(runId, from, to, points, signal, smoothing)),
        );
        const losses = (await Promise.all(asked)).filter((loss) => loss !== null);
        if (losses.length < ranges.length) return;
        store.dispatch({ type: "detail", runId, smoothing, detail: concatenated(losses) });
      }, DEBOUNCE_MS);
    },
  );
}

/**
 * The ranges of updates that need finer points; null if the stored points suffice.
 *
 * @param {WatchState} state
 */
function detailRanges(state) {
  if (!state.range) return null;
  const curve = drawnCurve(state);
  const from = Math.max(1, Math.floor(state.range[0]));
  const to = Math.min(Math.ceil(state.range[1]), lastUpdate(curve));
  if (to - from < 2) return null;
  const even = state.scale !== "log" && state.xAxis !== "seconds";
  const ranges = splitRange(state, from, to, even ? 1 : RANGES);
  const enough = ENOUGH_POINTS / ranges.length;
  const isFine = (/** @type {[number, number]} */ [first, last]) =>
    between(curve, first, last).update.length >= Math.min(enough, last - first);
  return ranges.every(isFine) ? null : ranges;
}

/**
 * The losses of consecutive ranges as one.
 *
 * @param {Loss[]} losses
 */
function concatenated(losses) {
  const names = /** @type {const} */ (["update", "seconds", "smooth", "low", "high"]);
  const columns = names.map((name) => [name, losses.flatMap((loss) => loss[name])]);
  return { from: losses[0].from, ...Object.fromEntries(columns) };
}

/**
 * Refine the start of a curve whose points represent `bucket` updates each, down to single updates.
 *
 * @param {Store<any>} store
 * @param {string} runId
 * @param {number} bucket
 */
export async function refineStart(store, runId, bucket) {
  const losses = await fetchFinerStart(runId, bucket, OWN_SMOOTHING);
  store.dispatch({ type: "refined", runId, losses });
}

/**
 * The start of a curve, in ever shorter and finer ranges, requested at the same time.
 *
 * @param {string} runId
 * @param {number} bucket
 * @param {string} smoothing
 */
async function fetchFinerStart(runId, bucket, smoothing) {
  const sizes = [];
  for (let size = bucket; size > 1; size = Math.ceil(size / FINER)) sizes.push(size);
  const ask = (/** @type {number} */ size) =>
    getLoss(runId, 1, size * START_BUCKETS, START_BUCKETS * FINER, null, smoothing);
  const losses = await Promise.all(sizes.map((size) => nullOnProblem(ask(size))));
  return losses.filter((loss) => loss !== null);
}

/**
 * Fetch every update of a short run whose curve has points that represent several.
 *
 * Training that is faster than 200 updates a second, or a slow connection, brings such points.
 *
 * @param {WatchStore} store
 */
export function fetchShortRun(store) {
  let busy = false;
  /** @type {Curve | null} */
  let finest = null; // all that the server has; it may lack a part of the history

  async function fetchUpdates() {
    const { runId, curve, refining } = store.get();
    const to = lastUpdate(curve);
    const coarse = curve.update.length < to && curve !== finest;
    if (busy || !runId || refining || !coarse || to > SHORT_RUN_UPDATES) return;
    busy = true;
    const loss = await nullOnProblem(getLoss(runId, 1, to, SHORT_RUN_UPDATES));
    // A run that went back to a checkpoint meanwhile has other losses.
    if (loss && lastUpdate(store.get().curve) >= to) {
      store.dispatch({ type: "refined", runId, losses: [loss] });
      const { curve: refined } = store.get();
      if (lastUpdate(refined) === to) finest = refined;
    }
    setTimeout(() => {
      busy = false;
      fetchUpdates();
    }, SHORT_RUN_EVERY_MS);
  }

  store.watch((state) => [state.runId, state.curve, state.refining], fetchUpdates);
}

/**
 * Keep `state.smoothed` in step with the chosen smoothing. New points are smoothed approximately on
 * the page; the exact ones are fetched from time to time.
 *
 * @param {WatchStore} store
 */
export function fetchSmoothed(store) {
  /** @type {ReturnType<typeof setInterval> | undefined} */
  let timer;

  /** @type {(runId: string, smoothing: string) => Promise<void>} */
  async function fetchAll(runId, smoothing) {
    const to = lastUpdate(store.get().curve);
    if (!to) return;
    const loss = await nullOnProblem(getLoss(runId, 1, to, POINTS, null, smoothing));
    if (!loss) return;
    const finer = await fetchFinerStart(runId, loss.bucket, smoothing);
    store.dispatch({ type: "smoothed", runId, smoothing, losses: [loss, ...finer] });
  }

  /** @type {(runId: string, smoothing: string, from: number) => Promise<void>} */
  async function fetchTail(runId, smoothing, from) {
    const { curve } = store.get();
    const to = lastUpdate(curve);
    if (to < from || document.visibilityState !== "visible") return;
    // No finer than the stored points: too many new points would merge the earlier ones.
    const finest = Math.ceil((to - from + 1) / largestBucket(curve, from, to));
    const points = Math.max(1, Math.min(finest, TAIL_POINTS));
    const loss = await nullOnProblem(getLoss(runId, from, to, points, null, smoothing));
    if (loss) store.dispatch({ type: "smoothed", runId, smoothing, losses: [loss] });
  }

  store.watch(
    (state) => [state.runId, state.smoothing, state.smoothed === null, state.run === null],
    (runId, smoothing, missing, noRun) => {
      clearInterval(timer);
      if (!runId || smoothing === OWN_SMOOTHING || noRun) return;
      if (missing) fetchAll(runId, smoothing);
      timer = setInterval(() => {
        const { smoothed } = store.get();
        if (smoothed) fetchTail(runId, smoothing, smoothed.exact + 1);
        else fetchAll(runId, smoothing);
      }, TAIL_EVERY_MS);
    },
  );
}
