/** The curves of the cards that lack them, those on the screen first. */

import { PAGE_RUNS } from "../run-lists/pages.js";

const RETRY_MS = 3000;

/**
 * @param {Store<WallState>} store
 * @param {(ids: string[]) => Promise<WallDetail[] | null>} fetchCurves null if it fails.
 * @returns {(visible: string[], others: string[]) => void} load the curves of these runs.
 */
export function curveLoader(store, fetchCurves) {
  let busy = false;
  return async (visible, others) => {
    const { runs } = store.get();
    const lacks = (/** @type {string} */ id) => runs?.[id] && !runs[id].curve && !runs[id].removed;
    const first = visible.filter(lacks);
    const ids = (first.length ? first : others.filter(lacks)).slice(0, PAGE_RUNS);
    if (busy || !ids.length) return;
    busy = true;
    store.dispatch({ type: "ask", ids });
    const details = await fetchCurves(ids);
    // One that was deleted is not in the answer; soon a message says so.
    if (!details?.length) await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    busy = false;
    store.dispatch({ type: "details", ids, details: details ?? [] });
  };
}
