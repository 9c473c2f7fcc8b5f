/**
 * The WebSocket of one run. It reconnects automatically and requests only the messages it missed.
 *
 * It is independent of the page: messages and connection states go to two callbacks.
 */

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 15;
const UNKNOWN_RUN = 4404;

export class LiveSocket {
  #path;
  #on;
  /** @type {WebSocket} */
  #socket;
  /** @type {number | null} */
  #since = null;
  #waitS = FIRST_WAIT_S;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #closed = false;
  #retryNow = () => this.#retry();

  /**
   * @param {string} runId
   * @param {Object} on
   * @param {(message: ServerMessage) => void} on.message
   * @param {(state: Connection) => void} on.connection
   *   The connection status "gone" means that the run does not exist.
   */
  constructor(runId, on) {
    this.#path = `/ws/runs/${encodeURIComponent(runId)}`;
    this.#on = on;
    window.addEventListener("online", this.#retryNow);
    document.addEventListener("visibilitychange", this.#retryNow);
    this.#socket = this.#open();
  }

  /** Close permanently. */
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
    return this.#socket;
  }

  /**
   * @param {Connection["status"]} status
   * @param {number | null} [retryInS]
   */
  #report(status, retryInS = null) {
    if (!this.#closed) this.#on.connection({ status, retryInS });
  }

  /** @param {ServerMessage} message */
  #receive(message) {
    if (this.#closed) return;
    this.#since = message.seq;
    this.#on.message(message);
  }

  /** @param {number} code */
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

  /** @param {number} leftS */
  #waitToRetry(leftS) {
    if (leftS <= 0) {
      this.#open();
      return;
    }
    this.#report("waiting", leftS);
    this.#timer = setTimeout(() => this.#waitToRetry(leftS - 1), 1000);
  }

  /** Reconnect at once when the network or the visible page is back. */
  #retry() {
    const waiting = this.#socket.readyState === WebSocket.CLOSED;
    if (waiting && !this.#closed && document.visibilityState === "visible") this.#open();
  }
}
