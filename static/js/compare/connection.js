/** The state of the connections of all runs in view: that of the worst one. */

import { find } from "../lib/dom.js";
import { visibleIds } from "./reducers.js";
import { isOutdated, showConnection } from "../ui/connection.js";

const WORST_FIRST = ["waiting", "silent", "connecting", "polling", "live"];

/** @param {CompareStore} store */
export function mountConnection(store) {
  const host = find("#connection");
  store.watch(
    (state) => [state.connections, visibleIds(state).join(), state.live],
    (connections) => {
      const { live } = store.get();
      const all = visibleIds(store.get()).filter((id) => connections[id]);
      const worst = WORST_FIRST.map((status) =>
        all.find((id) => connections[id].status === status),
      ).find(Boolean);
      host.hidden = !worst;
      if (!worst) return;
      const outdated = all.some((id) =>
        isOutdated({ connection: connections[id], run: live[id]?.run ?? null }),
      );
      showConnection(connections[worst], outdated);
    },
  );
}
