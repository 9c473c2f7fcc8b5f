/** How many clients watch the run, and whether the connection is live. */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

/** @param {WatchStore} store */
export function mountConnection(store) {
  const host = find("#connection");
  const viewers = find("#viewers");
  store.watch(
    (state) => [state.connection, state.viewers, state.runId, state.runs, state.run === null],
    (connection, watching, runId, runs) => {
      const none = runId === null && runs !== null;
      host.hidden = none;
      showConnection(connection, isOutdated(store.get()));
      viewers.hidden = none || watching === null;
      setText(viewers, watching === null ? "" : `${format.count(watching)} watching`);
    },
  );
}

/**
 * Show the state of the connection in the header, and mark outdated content on the whole page.
 *
 * @param {Connection} connection
 * @param {boolean} outdated
 */
export function showConnection(connection, outdated) {
  find("#connection").dataset.state = connection.status;
  find("#connection-dot").dataset.state = connection.status;
  setText(find("#connection-word"), connectionLabel(connection));
  document.body.toggleAttribute("data-outdated", outdated);
}

/**
 * Whether the page shows a run, or runs, of which there has been no news.
 *
 * @param {{connection: Connection, run: object | null}} state
 */
export const isOutdated = ({ connection, run }) => run !== null && !isCurrent(connection);

/** Whether messages arrive. @param {Connection} connection */
const isCurrent = ({ status }) => status === "live" || status === "polling";

/**
 * A connection in a few words.
 *
 * @param {Connection} connection
 */
function connectionLabel({ status, retryInS, silentS }) {
  if (status === "waiting") return `reconnecting in ${retryInS} s`;
  if (status === "silent") return `no news for ${format.count(silentS)} s`;
  return status === "gone" ? "run deleted" : status;
}

/**
 * How the messages arrive, in a sentence.
 *
 * @param {Connection} connection
 */
export function connectionSentence({ status, reason }) {
  if (status === "live") return "WebSocket";
  if (status === "polling") return `HTTP, every few seconds. No WebSocket: ${reason}`;
  return "lost; trying to reconnect";
}
