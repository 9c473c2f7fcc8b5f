/** The page without any run: an introduction, and two ways to start. */

import * as api from "../net/api.js";
import { find } from "../lib/dom.js";
import { toast } from "../ui/toasts.js";

/**
 * @param {WatchStore} store
 * @param {Object} actions
 * @param {(run: Run) => void} actions.created
 * @param {() => void} actions.openForm
 * @param {() => void} actions.prepareChart called while there is no chart to draw.
 */
export function mountEmptyState(store, { created, openForm, prepareChart }) {
  const start = find("#empty-start");
  start.addEventListener("click", async () => {
    start.disabled = true;
    try {
      created(await api.createRun({ pace: "cinematic" }));
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    } finally {
      start.disabled = false;
    }
  });
  find("#empty-own").addEventListener("click", openForm);
  store.watch(
    (state) => [state.runId === null && state.runs?.length === 0, state.operator],
    (none, operator) => {
      find("#empty").hidden = !none;
      find("#watch").hidden = none;
      find("#empty-viewer").hidden = operator;
      if (none) prepareChart();
    },
  );
}
