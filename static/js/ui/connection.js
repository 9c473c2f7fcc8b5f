/** How many clients watch the run, and whether the connection is live. */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

/** @param {WatchStore} store */
export function mountConnection(store) {
  const host = find("#connection");
  const label = find("#connection-word");
  const dot = find("#connection-dot");
  const viewers = find("#viewers");
  store.watch(
    (state) => [state.connection, state.viewers, state.runId, state.runs],
    (connection, watching, runId, runs) => {
      const none = runId === null && runs !== null;
      host.hidden = none;
      host.dataset.state = connection.status;
      dot.dataset.state = connection.status;
      setText(label, connectionLabel(connection));
      viewers.hidden = none || watching === null;
      setText(viewers, watching === null ? "" : `${format.count(watching)} watching`);
    },
  );
}

/**
 * A connection in a few words.
 *
 * @param {Connection} connection
 */
export function connectionLabel({ status, retryInS }) {
  if (status === "waiting") return `reconnecting in ${retryInS} s`;
  return { live: "live", connecting: "connecting", gone: "run deleted" }[status];
}
