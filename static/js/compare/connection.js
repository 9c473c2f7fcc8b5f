/** The state of the connections of all runs in view: that of the worst one. */

import { find, setText } from "../lib/dom.js";
import { visibleIds } from "./reducers.js";
import { connectionLabel } from "../ui/connection.js";

const WORST_FIRST = ["waiting", "connecting", "live"];

/** @param {CompareStore} store */
export function mountConnection(store) {
  const host = find("#connection");
  store.watch(
    (state) => [state.connections, visibleIds(state).join()],
    (connections) => {
      const all = visibleIds(store.get())
        .map((id) => connections[id])
        .filter(Boolean);
      const status = WORST_FIRST.find((each) => all.some((one) => one.status === each));
      host.hidden = !status;
      if (!status) return;
      host.dataset.state = status;
      find("#connection-dot").dataset.state = status;
      setText(find("#connection-word"), connectionLabel(all.find((one) => one.status === status)));
    },
  );
}
