/**
 * The live connection to one run. It comes back by itself, and asks only for what it missed.
 *
 * It knows nothing of the page: messages and the connection's state go to the two callbacks.
 */

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 15;
const UNKNOWN_RUN = 4404;

/**
 * @param {string} runId
 * @param {{message: (message: Object) => void, connection: (state: Object) => void}} on
 *   `connection` gets `{status, retryInS}` with status "connecting", "live", "waiting" or "gone"
 *   (there is no such run, or no longer).
 * @returns {{close: () => void}}
 */
export function connect(runId, on) {
  let socket = null;
  let since = null;
  let waitS = FIRST_WAIT_S;
  let timer = null;
  let closed = false;

  function open() {
    clearTimeout(timer);
    on.connection({ status: "connecting", retryInS: null });
    const query = since === null ? "" : `?since=${since}`;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const path = `/ws/runs/${encodeURIComponent(runId)}${query}`;
    socket = new WebSocket(`${scheme}://${location.host}${path}`);
    socket.addEventListener("open", () => {
      waitS = FIRST_WAIT_S;
      on.connection({ status: "live", retryInS: null });
    });
    socket.addEventListener("message", (event) => receive(JSON.parse(event.data)));
    socket.addEventListener("close", (event) => lost(event.code));
  }

  function receive(message) {
    if (closed) return;
    // After a restart the server counts anew, so a snapshot's number holds whatever it is.
    if (message.type === "snapshot" || since === null || message.seq > since) since = message.seq;
    on.message(message);
  }

  function lost(code) {
    if (closed) return;
    if (code === UNKNOWN_RUN) {
      closed = true;
      on.connection({ status: "gone", retryInS: null });
      return;
    }
    countDown(waitS);
    waitS = Math.min(waitS * 2, LONGEST_WAIT_S);
  }

  function countDown(leftS) {
    if (leftS <= 0) {
      open();
      return;
    }
    on.connection({ status: "waiting", retryInS: leftS });
    timer = setTimeout(() => countDown(leftS - 1), 1000);
  }

  function retryNow() {
    const waiting = socket?.readyState === WebSocket.CLOSED;
    if (!closed && waiting && document.visibilityState === "visible") open();
  }

  window.addEventListener("online", retryNow);
  document.addEventListener("visibilitychange", retryNow);
  open();

  return {
    close() {
      closed = true;
      clearTimeout(timer);
      window.removeEventListener("online", retryNow);
      document.removeEventListener("visibilitychange", retryNow);
      socket.close();
    },
  };
}
