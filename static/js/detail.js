/**
 * Fetches finer points than the page holds: for the stretch that the reader zooms to, and for the
 * first updates, of which a logarithmic axis shows more than an even reduction keeps.
 */

import { getLoss, Problem } from "./api.js";
import { between, lastUpdate } from "./curve.js";

const POINTS = 1500;
const ENOUGH_POINTS = 1000;
const REST_MS = 150;
const START_BUCKETS = 20;
const FINER = 12;

/** Keep `state.detail` in step with `state.range`. */
export function fetchDetailOnZoom(store) {
  let timer = null;
  let request = null;
  store.watch(
    (state) => [state.range, state.runId],
    (range, runId) => {
      clearTimeout(timer);
      request?.abort();
      if (!range || !runId) return;
      timer = setTimeout(async () => {
        const { curve } = store.get();
        const from = Math.max(1, Math.floor(range[0]));
        const to = Math.min(Math.ceil(range[1]), lastUpdate(curve));
        const held = between(curve, from, to).update.length;
        if (to - from < 2 || held >= Math.min(ENOUGH_POINTS, to - from)) return;
        request = new AbortController();
        const loss = await quietly(getLoss(runId, from, to, POINTS, request.signal));
        if (loss) store.dispatch({ type: "detail", runId, detail: loss });
      }, REST_MS);
    },
  );
}

/**
 * Refine the start of a curve whose points stand for `bucket` updates each, down to single ones:
 * ranges ever shorter and finer, asked for at once.
 */
export async function refineStart(store, runId, bucket) {
  const sizes = [];
  for (let size = bucket; size > 1; size = Math.ceil(size / FINER)) sizes.push(size);
  const losses = await Promise.all(
    sizes.map((size) =>
      quietly(getLoss(runId, 1, size * START_BUCKETS, START_BUCKETS * FINER)),
    ),
  );
  store.dispatch({ type: "refined", runId, losses: losses.filter(Boolean) });
}

/** Null instead of a Problem: without the finer points the coarse ones stay, which is no fault. */
export async function quietly(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error instanceof Problem || error.name === "AbortError") return null;
    throw error;
  }
}
