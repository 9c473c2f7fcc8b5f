/** The choice of the run, and its state. */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { networkSummary } from "../lib/network-summary.js";
import { isOutdated } from "../ui/connection.js";
import { RunSelect } from "../run-lists/select.js";

/**
 * @param {InsideStore} store
 * @param {any} currentRun see state/current-run.js.
 */
export function mountRunPicker(store, currentRun) {
  const select = find("#inside-run");
  const options = new RunSelect(select);
  select.addEventListener("change", () => currentRun.open(select.value));
  // The list may have changed since it was fetched.
  select.addEventListener("focus", () => currentRun.refresh());
  store.watch(
    (state) => [state.runs, state.runId, state.run?.name],
    (runs, runId) => {
      options.show(runs ?? [], runId ?? "");
      find("#inside-none").hidden = !runs || runs.length > 0;
      find("#inside").hidden = runs !== null && runs.length === 0;
    },
  );
  store.watch(
    (state) => [state.run?.state, state.run?.spec, isOutdated(state)],
    (state, spec, outdated) => {
      const about = spec && `${networkSummary(spec)}; ${format.knownState(state, outdated)}`;
      setText(find("#inside-run-about"), about ?? "");
    },
  );
}
