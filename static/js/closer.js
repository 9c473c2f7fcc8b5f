/**
 * Fetches samples that the page does not hold: those of the stretch that the reader zooms to, and
 * the one that the address names.
 */

import { getSamples } from "./api.js";
import { quietly } from "./detail.js";

const LIMIT = 120;
const REST_MS = 200;

/** Keep `state.samples` in step with where the reader looks closely. */
export function fetchSamplesCloser(store) {
  let timer = null;
  let request = null;
  store.watch(
    (state) => [state.range, state.pinned, state.runId, state.run === null],
    (range, pinned, runId, unseen) => {
      clearTimeout(timer);
      request?.abort();
      const stretch = range ?? (lacks(store.get().samples, pinned) ? [pinned, pinned] : null);
      if (!stretch || !runId || unseen) return;
      timer = setTimeout(async () => {
        request = new AbortController();
        const [from, to] = [Math.max(0, Math.floor(stretch[0])), Math.ceil(stretch[1])];
        const samples = await quietly(getSamples(runId, from, to, LIMIT, request.signal));
        if (samples?.length) store.dispatch({ type: "samples", runId, samples });
      }, REST_MS);
    },
  );
}

const lacks = (samples, update) =>
  update !== null && !samples.some((sample) => sample.update === update);
