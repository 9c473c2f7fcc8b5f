/** The switches under the chart: the axis, how fine the points are, the table, follow. */

import { largestBucket } from "../curve.js";
import { find, setText } from "../dom.js";
import * as format from "../format.js";
import { finestCurve, viewRange } from "../geometry.js";

/**
 * @param {Object} store
 * @param {(runId: string) => string} lossesFile where a run's table of losses is.
 */
export function mountSwitches(store, lossesFile) {
  const follow = find("#follow");
  const csv = find("#losses-csv");
  const scales = [...document.querySelectorAll("input[name=scale]")];
  follow.addEventListener("click", () => store.dispatch({ type: "zoom", range: null }));
  for (const input of scales) {
    input.addEventListener("change", () => store.dispatch({ type: "scale", scale: input.value }));
  }
  store.watch(
    (state) => [state.range === null, state.scale, state.runId],
    (following, scale, runId) => {
      follow.setAttribute("aria-pressed", String(following));
      for (const input of scales) input.checked = input.value === scale;
      find("#chart").dataset.scale = scale ?? "";
      if (runId) csv.href = lossesFile(runId);
      csv.hidden = !runId;
    },
  );
  store.watch(
    (state) => [pointSize(state)],
    (updates) => setText(find("#resolution"), resolution(updates)),
  );
}

const resolution = (updates) =>
  updates > 1 ? `1 point = ${format.count(updates)} updates, extremes kept` : "1 point = 1 update";

/** How many updates the coarsest point in view stands for. */
const pointSize = (state) => largestBucket(finestCurve(state), ...viewRange(state));
