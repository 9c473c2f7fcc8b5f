/**
 * Fetches samples that the page does not store: those in the zoomed range, and the last one before
 * the pinned update.
 */

import { getSamples, nullOnProblem } from "../net/api.js";

const LIMIT = 120;
const DEBOUNCE_MS = 200;

/**
 * Keep `state.samples` in step with the range and the pinned update.
 *
 * @param {WatchStore} store
 */
export function fetchVisibleSamples(store) {
  let timer = null;
  let request = null;
  store.watch(
    ({ range, pinned, runId, run, samples }) => [
      range,
      pinned,
      runId,
      run === null,
      lacks(samples, pinned),
    ],
    (range, pinned, runId, unseen, lacking) => {
      clearTimeout(timer);
      request?.abort();
      if (!runId || unseen) return;
      const asked = [];
      if (range) asked.push([Math.max(0, Math.floor(range[0])), Math.ceil(range[1]), LIMIT]);
      if (lacking) asked.push([0, pinned, 1]);
      if (!asked.length) return;
      timer = setTimeout(async () => {
        request = new AbortController();
        const { signal } = request;
        const answers = await Promise.all(
          asked.map(([from, to, limit]) =>
            nullOnProblem(getSamples(runId, from, to, limit, signal)),
          ),
        );
        const samples = answers.flatMap((answer) => answer ?? []);
        if (samples.length) store.dispatch({ type: "samples", runId, samples });
      }, DEBOUNCE_MS);
    },
  );
}

const lacks = (samples, update) =>
  update !== null && !samples.some((sample) => sample.update === update);
