/**
 * The live connection to one run. It comes back by itself, and asks only for what it missed.
 *
 * It knows nothing of the page: messages and the connection's state go to the two callbacks.
 */

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 15;
const UNKNOWN_RUN = 4404;

export class LiveSocket {
  #path;
  #on;
  #socket = null;
  #since = null;
  #waitS = FIRST_WAIT_S;
  #timer = null;
  #closed = false;
  #retryNow = () => this.#retry();

  /**
   * @param {string} runId
   * @param {{message: (message: Object) => void, connection: (state: Object) => void}} on
   *   `connection` gets `{status, retryInS}` with status "connecting", "live", "waiting" or "gone"
   *   (there is no such run, or no longer).
   */
  constructor(runId, on) {
    this.#path = `/ws/runs/${encodeURIComponent(runId)}`;
    this.#on = on;
    window.addEventListener("online", this.#retryNow);
    document.addEventListener("visibilitychange", this.#retryNow);
    this.#open();
  }

  /** Close for good. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    window.removeEventListener("online", this.#retryNow);
    document.removeEventListener("visibilitychange", this.#retryNow);
    this.#socket.close();
  }

  #open() {
    clearTimeout(this.#timer);
    this.#report("connecting");
    const query = this.#since === null ? "" : `?since=${this.#since}`;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    this.#socket = new WebSocket(`${scheme}://${location.host}${this.#path}${query}`);
    this.#socket.addEventListener("open", () => {
      this.#waitS = FIRST_WAIT_S;
      this.#report("live");
    });
    this.#socket.addEventListener("message", (event) => this.#receive(JSON.parse(event.data)));
    this.#socket.addEventListener("close", (event) => this.#onClose(event.code));
  }

  #report(status, retryInS = null) {
    if (!this.#closed) this.#on.connection({ status, retryInS });
  }

  #receive(message) {
    if (this.#closed) return;
    this.#since = message.seq;
    this.#on.message(message);
  }

  #onClose(code) {
    if (this.#closed) return;
    if (code === UNKNOWN_RUN) {
      this.#report("gone");
      this.close();
      return;
    }
    this.#waitToRetry(this.#waitS);
    this.#waitS = Math.min(this.#waitS * 2, LONGEST_WAIT_S);
  }

  #waitToRetry(leftS) {
    if (leftS <= 0) {
      this.#open();
      return;
    }
    this.#report("waiting", leftS);
    this.#timer = setTimeout(() => this.#waitToRetry(leftS - 1), 1000);
  }

  /** The network or the reader is back: no reason to wait any longer. */
  #retry() {
    const waiting = this.#socket.readyState === WebSocket.CLOSED;
    if (waiting && !this.#closed && document.visibilityState === "visible") this.#open();
  }
}
