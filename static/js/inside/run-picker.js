/** The choice of the run, and its state. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { networkSummary } from "../lib/network-summary.js";
import { isOutdated } from "../ui/connection.js";
import { listedRuns } from "../ui/run-list.js";

/**
 * @param {InsideStore} store
 * @param {any} currentRun see state/current-run.js.
 */
export function mountRunPicker(store, currentRun) {
  const select = find("#inside-run");
  select.addEventListener("change", () => currentRun.open(select.value));
  // The list may have changed since it was fetched.
  select.addEventListener("focus", () => currentRun.refresh());
  store.watch(
    (state) => [state.runs, state.runId, state.run?.name],
    (runs, runId) => {
      const listed = listedRuns(runs ?? [], { text: "", filter: "all" });
      const options = listed.map(({ id, name }) => el("option", { value: id, text: name }));
      const seen = [...select.options].map(({ value, text }) => `${value} ${text}`).join("\n");
      const now = listed.map(({ id, name }) => `${id} ${name}`).join("\n");
      if (seen !== now) select.replaceChildren(...options);
      select.value = runId ?? "";
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
