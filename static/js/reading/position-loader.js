/**
 * Fetches the loss by position while it is in view: one row per epoch, and the variance components.
 */

import { getLossByPosition, getExplainedLoss, Problem } from "../net/api.js";

const BETWEEN_MS = 4000;
const NEWEST = 5;

/** The epochs to show: the first one and the newest few. */
function epochsShown(newest) {
  const few = Array.from({ length: NEWEST }, (_, i) => newest - NEWEST + 1 + i);
  return [...new Set([1, ...few.filter((epoch) => epoch > 0)])];
}

/**
 * Keep `state.lossByPosition` in step with the run.
 *
 * @param {WatchStore} store
 */
export function fetchLossByPosition(store) {
  let timer = null;
  let request = null;

  async function ask() {
    const { runId, run, lossByPosition } = store.get();
    const rowsByEpoch = new Map(lossByPosition?.rows.map((row) => [row.epoch, row]));
    const shown = epochsShown(run.epoch);
    const lacking = shown.filter((epoch) => !rowsByEpoch.get(epoch)?.whole);
    request = new AbortController();
    const { signal } = request;
    try {
      const [byPosition, variance] = await Promise.all([
        getLossByPosition(runId, lacking.length ? lacking : [run.epoch], signal),
        getExplainedLoss(runId, signal),
      ]);
      for (const { epoch, loss } of byPosition.epochs) {
        // The bin being read has a value already: the mean of a few updates.
        rowsByEpoch.set(epoch, { epoch, loss, whole: epoch < run.epoch && !loss.includes(null) });
      }
      const rows = shown.flatMap((epoch) => rowsByEpoch.get(epoch) ?? []);
      const { positions } = byPosition;
      store.dispatch({
        type: "lossByPosition",
        runId,
        lossByPosition: { positions, rows, variance },
      });
    } catch (error) {
      // The data stays, and is requested again later.
      if (!(error instanceof Problem) && error.name !== "AbortError") throw error;
    }
    if (!signal.aborted) timer = setTimeout(poll, BETWEEN_MS, run.update);
  }

  function poll(lastUpdate) {
    const { run } = store.get();
    const visible = document.visibilityState === "visible";
    if (visible && run && run.update !== lastUpdate) ask();
    else timer = setTimeout(poll, BETWEEN_MS, lastUpdate);
  }

  store.watch(
    (state) => [state.curveTab, state.runId, state.run?.epoch, state.lossByPosition === null],
    (curveTab) => {
      const { lossByPosition, run } = store.get();
      const current = lossByPosition?.rows.at(-1)?.epoch === run?.epoch;
      if (curveTab === "position" && current && !request?.signal.aborted) return;
      clearTimeout(timer);
      request?.abort();
      if (curveTab === "position" && run) ask();
    },
  );
}
