/** Fetches the loss by page, as long as it is in view: a row an epoch, and what explains it. */

import { getLossByPosition, getLossExplained, Problem } from "../net/api.js";

const BETWEEN_MS = 4000;
const NEWEST = 5;

/** The epochs that are laid over each other: the first, and the newest few. */
export function epochsShown(newest) {
  const few = Array.from({ length: NEWEST }, (_, i) => newest - NEWEST + 1 + i);
  return [...new Set([1, ...few.filter((epoch) => epoch > 0)])];
}

/** Keep `state.pages` in step with the run. */
export function fetchPages(store) {
  let timer = null;
  let request = null;

  async function ask() {
    const { runId, run, pages } = store.get();
    const held = new Map(pages?.rows.map((row) => [row.epoch, row]));
    const shown = epochsShown(run.epoch);
    const lacking = shown.filter((epoch) => !held.get(epoch)?.whole);
    request = new AbortController();
    const { signal } = request;
    try {
      const [byPosition, explained] = await Promise.all([
        getLossByPosition(runId, lacking.length ? lacking : [run.epoch], signal),
        getLossExplained(runId, signal),
      ]);
      for (const { epoch, loss } of byPosition.epochs) {
        // A bin that is being read is there already, with a mean of a few updates.
        held.set(epoch, { epoch, loss, whole: epoch < run.epoch && !loss.includes(null) });
      }
      const rows = shown.flatMap((epoch) => held.get(epoch) ?? []);
      const { positions } = byPosition;
      store.dispatch({ type: "pages", runId, pages: { positions, rows, explained } });
    } catch (error) {
      // What is shown stays, and is asked for again.
      if (!(error instanceof Problem) && error.name !== "AbortError") throw error;
    }
    if (!signal.aborted) timer = setTimeout(look, BETWEEN_MS, run.update);
  }

  function look(seen) {
    const { run } = store.get();
    const visible = document.visibilityState === "visible";
    if (visible && run && run.update !== seen) ask();
    else timer = setTimeout(look, BETWEEN_MS, seen);
  }

  store.watch(
    (state) => [state.face, state.runId, state.run?.epoch, state.pages === null],
    (face) => {
      const { pages, run } = store.get();
      const current = pages?.rows.at(-1)?.epoch === run?.epoch;
      if (face === "pages" && current && !request?.signal.aborted) return;
      clearTimeout(timer);
      request?.abort();
      if (face === "pages" && run) ask();
    },
  );
}
