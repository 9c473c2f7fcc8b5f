/** Fetches what was read at the update in view, as long as the reading is in view. */

import { getReading, Problem } from "../net/api.js";

const REST_MS = 160; // so long must the pointer rest before it is looked up what was read there
const BETWEEN_LIVE_MS = 4000; // live, the page turns no more often than it can be looked at

/** What to ask for: `update`, the greatest loss of a `range`, or neither for the newest update. */
function wanted(state) {
  if (state.card !== "reading" || !state.run) return null;
  if (state.seek) return { range: state.seek };
  return { update: state.pinned ?? state.pointed };
}

/** Whether `reading` is of the update that is wanted. */
const isThere = (reading, { range, update }) =>
  !range && update !== null && reading?.update === update;

/** Keep `state.reading` in step with the update in view. */
export function fetchReadings(store) {
  let timer = null;
  let request = null;

  async function ask() {
    timer = null;
    const { runId, ...state } = store.get();
    const want = wanted(state);
    if (!want || isThere(state.reading, want)) return;
    request = new AbortController();
    const { signal } = request;
    try {
      const reading = await getReading(runId, want, signal);
      store.dispatch({ type: "reading", runId, reading, range: want.range ?? null });
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof Problem)) throw error;
      store.dispatch({ type: "unread", runId, problem: error.message });
    }
    if (!signal.aborted) again();
  }

  /** Live, look again after a while, for as long as there is something to see. */
  function again() {
    const want = wanted(store.get());
    if (want && !want.range && want.update === null) timer = setTimeout(look, BETWEEN_LIVE_MS);
  }

  function look() {
    const { run, reading } = store.get();
    const seen = document.visibilityState === "visible";
    if (seen && run && run.update > 0 && run.update !== reading?.update) ask();
    else again();
  }

  store.watch(
    (state) => {
      const want = wanted(state);
      return [state.runId, state.card, want?.range, want?.update, (state.run?.update ?? 0) > 0];
    },
    () => {
      clearTimeout(timer);
      request?.abort();
      const state = store.get();
      const pointing = state.pinned === null && state.pointed !== null && !state.seek;
      if (wanted(state)) timer = setTimeout(ask, pointing ? REST_MS : 0);
    },
  );
}
