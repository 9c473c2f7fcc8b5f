/**
 * Fetches finer points than the page holds: for the stretch that the reader zooms to, and for the
 * first updates, of which a logarithmic axis shows more than an even reduction keeps; and the curve
 * smoothed otherwise than the run smooths it.
 */

import { getLoss, nullOnProblem } from "../net/api.js";
import { between, largestBucket, lastUpdate } from "./loss-curve.js";
import { drawnCurve, splitRange } from "./scales.js";
import { DEFAULT_SMOOTHING } from "./smoothing.js";

const POINTS = 1500;
const ENOUGH_POINTS = 1000;
const RANGES = 4; // of an axis on which updates are not evenly apart
const REST_MS = 150;
const START_BUCKETS = 20;
const FINER = 12;
const TAIL_EVERY_MS = 3000;
const TAIL_POINTS = 300;

/** Keep `state.detail` in step with `state.range`. */
export function fetchDetailOnZoom(store) {
  let timer = null;
  let request = null;
  store.watch(
    (state) => [
      ...[state.range, state.runId, drawnCurve(state).update.length > 1],
      ...[state.smoothing, state.scale, state.xAxis],
      state.refining, // a snapshot came, and what was fetched before it went
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
        const losses = (await Promise.all(asked)).filter(Boolean);
        if (losses.length < ranges.length) return;
        store.dispatch({ type: "detail", runId, smoothing, detail: concatenated(losses) });
      }, REST_MS);
    },
  );
}

/** The stretches of updates of which finer points are to be had; null when enough are held. */
function detailRanges(state) {
  const curve = drawnCurve(state);
  const from = Math.max(1, Math.floor(state.range[0]));
  const to = Math.min(Math.ceil(state.range[1]), lastUpdate(curve));
  if (to - from < 2) return null;
  const even = state.scale !== "log" && state.xAxis !== "seconds";
  const ranges = splitRange(state, from, to, even ? 1 : RANGES);
  const enough = ENOUGH_POINTS / ranges.length;
  const isFine = ([first, last]) =>
    between(curve, first, last).update.length >= Math.min(enough, last - first);
  return ranges.every(isFine) ? null : ranges;
}

/** Losses of stretches that follow one another, as one. */
function concatenated(losses) {
  const names = ["update", "seconds", "smooth", "low", "high"];
  const columns = names.map((name) => [name, losses.flatMap((loss) => loss[name])]);
  return { from: losses[0].from, ...Object.fromEntries(columns) };
}

/**
 * Refine the start of a curve whose points stand for `bucket` updates each, down to single ones.
 */
export async function refineStart(store, runId, bucket) {
  const losses = await fetchFinerStart(runId, bucket, DEFAULT_SMOOTHING);
  store.dispatch({ type: "refined", runId, losses });
}

/** The start of a curve, in ranges ever shorter and finer, asked for at once. */
async function fetchFinerStart(runId, bucket, smoothing) {
  const sizes = [];
  for (let size = bucket; size > 1; size = Math.ceil(size / FINER)) sizes.push(size);
  const ask = (size) =>
    getLoss(runId, 1, size * START_BUCKETS, START_BUCKETS * FINER, null, smoothing);
  const losses = await Promise.all(sizes.map((size) => nullOnProblem(ask(size))));
  return losses.filter(Boolean);
}

/**
 * Keep `state.smoothed` in step with the smoothing that the reader chose. What comes live is smoothed
 * here, nearly as well, until the server is asked for it now and then.
 */
export function fetchSmoothed(store) {
  let timer = null;

  async function fetchAll(runId, smoothing) {
    const to = lastUpdate(store.get().curve);
    if (!to) return;
    const loss = await nullOnProblem(getLoss(runId, 1, to, POINTS, null, smoothing));
    if (!loss) return;
    const finer = await fetchFinerStart(runId, loss.bucket, smoothing);
    store.dispatch({ type: "smoothed", runId, smoothing, losses: [loss, ...finer] });
  }

  async function fetchTail(runId, smoothing) {
    const { smoothed, curve } = store.get();
    const from = smoothed.exact + 1;
    const to = lastUpdate(curve);
    if (to < from || document.visibilityState !== "visible") return;
    // No finer than what is held, or its many points would merge those before.
    const finest = Math.ceil((to - from + 1) / largestBucket(curve, from, to));
    const points = Math.max(1, Math.min(finest, TAIL_POINTS));
    const loss = await nullOnProblem(getLoss(runId, from, to, points, null, smoothing));
    if (loss) store.dispatch({ type: "smoothed", runId, smoothing, losses: [loss] });
  }

  store.watch(
    (state) => [state.runId, state.smoothing, state.smoothed === null, state.run === null],
    (runId, smoothing, lacking, unseen) => {
      clearInterval(timer);
      if (!runId || smoothing === DEFAULT_SMOOTHING || unseen) return;
      if (lacking) fetchAll(runId, smoothing);
      timer = setInterval(() => {
        if (store.get().smoothed) fetchTail(runId, smoothing);
        else fetchAll(runId, smoothing);
      }, TAIL_EVERY_MS);
    },
  );
}
