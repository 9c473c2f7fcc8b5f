/** Fetches the text read at the update in view, while the reading is in view. */

import { getSurprisal, Problem } from "../net/api.js";

const DEBOUNCE_MS = 160; // the pointer must rest this long before a request
const BETWEEN_LIVE_MS = 4000; // in the live view, time to look at each page

/**
 * What to request: an `update`, the greatest loss of a `range`, or neither for the newest update.
 *
 * @param {WatchState} state
 * @returns {{update?: number | null, range?: [number, number]} | null}
 */
function targetOf(state) {
  if (state.sideTab !== "reading" || !state.run) return null;
  if (state.peakRange) return { range: state.peakRange };
  return { update: state.pinned ?? state.hovered };
}

/**
 * Whether `reading` is already the requested one.
 *
 * @param {UpdateSurprisal | null} reading
 * @param {{update?: number | null, range?: [number, number]}} target
 */
const isLoaded = (reading, { range, update = null }) =>
  !range && update !== null && reading?.update === update;

/**
 * Keep `state.reading` in step with the update in view.
 *
 * @param {WatchStore} store
 */
export function fetchReadings(store) {
  let timer = null;
  let request = null;

  async function ask() {
    timer = null;
    const state = store.get();
    const { runId } = state;
    const target = targetOf(state);
    if (!runId || !target || isLoaded(state.reading, target)) return;
    request = new AbortController();
    const { signal } = request;
    try {
      const reading = await getSurprisal(runId, target, signal);
      store.dispatch({ type: "reading", runId, reading, range: target.range ?? null });
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) throw error;
      store.dispatch({ type: "readingError", runId, problem: error.message });
    }
    if (!signal.aborted) pollLater();
  }

  /** In the live view, check again after a while. */
  function pollLater() {
    const target = targetOf(store.get());
    if (target && !target.range && target.update === null)
      timer = setTimeout(poll, BETWEEN_LIVE_MS);
  }

  function poll() {
    const { run, reading } = store.get();
    const seen = document.visibilityState === "visible";
    if (seen && run && run.update > 0 && run.update !== reading?.update) ask();
    else pollLater();
  }

  store.watch(
    (state) => {
      const target = targetOf(state);
      return [
        state.runId,
        state.sideTab,
        target?.range,
        target?.update,
        (state.run?.update ?? 0) > 0,
      ];
    },
    () => {
      clearTimeout(timer);
      request?.abort();
      const state = store.get();
      const hovering = state.pinned === null && state.hovered !== null && !state.peakRange;
      if (targetOf(state)) timer = setTimeout(ask, hovering ? DEBOUNCE_MS : 0);
    },
  );
}
