/** The state of the connections of all runs in view: that of the worst one. */

import { find } from "../lib/dom.js";
import { isPageOutdated, visibleIds } from "./reducers.js";
import { showConnection } from "../ui/connection.js";

const WORST_FIRST = ["waiting", "silent", "connecting", "polling", "live"];

/** @param {CompareStore} store */
export function mountConnection(store) {
  const host = find("#connection");
  store.watch(
    (state) => [state.connections, visibleIds(state).join(), state.live, state.unreachable],
    (connections) => {
      const outdated = isPageOutdated(store.get());
      document.body.toggleAttribute("data-outdated", outdated);
      const all = visibleIds(store.get()).filter((id) => connections[id]);
      const worst = WORST_FIRST.map((status) =>
        all.find((id) => connections[id].status === status),
      ).find(Boolean);
      host.hidden = !worst;
      if (!worst) return;
      showConnection(connections[worst], outdated);
    },
  );
}
