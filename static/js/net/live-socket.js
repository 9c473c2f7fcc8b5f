/**
 * The messages of one run, or of the wall, over a WebSocket. It reconnects automatically and
 * requests only the messages it missed. Where no WebSocket gets through, it polls over HTTP until
 * one does.
 *
 * It is independent of the page: messages and connection states go to two callbacks.
 */

import { rooted } from "../lib/dom.js";
import { MessagePoller, POLL_EVERY_S } from "./message-poller.js";
import { websocketRefusal } from "./api.js";

const FIRST_WAIT_S = 1;
const LONGEST_WAIT_S = 15;
// The server sends a heartbeat whenever there was no message for a second.
const SILENT_AFTER_S = 3;
const CONNECT_WITHIN_S = 10;
const RECONNECT_AFTER_S = 10;
// A snapshot is one large message: nothing else arrives while a slow connection transfers it. The
// time doubles with each attempt that brings nothing.
const SNAPSHOT_WITHIN_S = 30;
const MAX_DOUBLINGS = 3;
const CHECK_EVERY_MS = 250;
const UNKNOWN_RUN = 4404;
const WRONG_KEY = 4403;

export class LiveSocket {
  #stream;
  #on;
  /** @type {WebSocket | null} null while waiting to reconnect. */
  #socket = null;
  /** @type {number | null} */
  #since = null;
  #waitS = FIRST_WAIT_S;
  #failures = 0; // consecutive attempts without a message
  #heard = false; // this socket has brought a message
  #awaitsSnapshot = true;
  // Times by `performance.now()`.
  #heardAt = 0; // when the last message arrived, by socket or by poll
  #socketHeardAt = 0; // when the socket brought its last message, or was created
  /** @type {number | null} */
  #messageAt = null; // when the last message arrived, by this device's clock
  /** @type {MessagePoller | null} */
  #poller = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #checks;
  #closed = false;
  #retryNow = () => this.#retry();

  /**
   * @param {import("./api.js").Stream} stream
   * @param {Object} on
   * @param {(message: any) => void} on.message
   * @param {(state: Connection) => void} on.connection
   *   The connection status "gone" means that the run does not exist.
   * @param {() => void} [on.opened] called when a socket is open, before its first message.
   */
  constructor(stream, on) {
    this.#stream = stream;
    this.#on = on;
    window.addEventListener("online", this.#retryNow);
    document.addEventListener("visibilitychange", this.#retryNow);
    this.#checks = setInterval(() => this.#check(), CHECK_EVERY_MS);
    this.#open();
  }

  /** Close permanently. */
  close() {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearInterval(this.#checks);
    window.removeEventListener("online", this.#retryNow);
    document.removeEventListener("visibilitychange", this.#retryNow);
    this.#abandon();
    this.#poller?.stop();
  }

  /**
   * Send a message to the server, if the socket is open.
   *
   * @param {object} message
   * @returns {boolean} whether it was sent.
   */
  send(message) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  #open() {
    clearTimeout(this.#timer);
    this.#abandon();
    this.#reportUnlessPolling("connecting");
    this.#heard = false;
    this.#awaitsSnapshot = true;
    this.#socketHeardAt = performance.now();
    const query = this.#since === null ? "" : `?since=${this.#since}`;
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const address = `${scheme}://${location.host}${rooted(this.#stream.socket)}${query}`;
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (socket === this.#socket) this.#on.opened?.();
    });
    socket.addEventListener("message", (event) => {
      if (socket === this.#socket) this.#receiveFromSocket(JSON.parse(event.data));
    });
    socket.addEventListener("close", (event) => {
      if (socket === this.#socket) this.#onClose(event);
    });
  }

  /** Close the socket, if there is one; what it still brings is ignored. */
  #abandon() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
  }

  /**
   * @param {Connection["status"]} status
   * @param {Partial<Connection>} [details]
   */
  #report(status, details = {}) {
    if (this.#closed) return;
    const unknown = { retryInS: null, silentS: null, reason: null };
    this.#on.connection({ status, heardAt: this.#messageAt, ...unknown, ...details });
  }

  /**
   * @param {Connection["status"]} status
   * @param {Partial<Connection>} [details]
   */
  #reportUnlessPolling(status, details) {
    if (!this.#poller) this.#report(status, details);
  }

  /** @param {any} message */
  #receiveFromSocket(message) {
    const first = !this.#heard;
    this.#heard = true;
    this.#awaitsSnapshot = message.type === "resync";
    this.#failures = 0;
    this.#waitS = FIRST_WAIT_S;
    if (first) {
      this.#poller?.stop();
      this.#poller = null;
    }
    const silent = secondsSince(this.#heardAt) >= SILENT_AFTER_S;
    this.#socketHeardAt = performance.now();
    this.#receive(message);
    if (first || silent) this.#report("live");
  }

  /** @param {any} message */
  #receive(message) {
    this.#heardAt = performance.now();
    this.#messageAt = Date.now();
    this.#since = message.seq;
    this.#on.message(message);
  }

  /** Notice a connection that has broken without being closed. */
  #check() {
    const silentS = secondsSince(this.#heardAt);
    const limitS = SILENT_AFTER_S + (this.#poller ? POLL_EVERY_S : 0);
    if (silentS >= limitS && (this.#poller || (this.#socket && this.#heard))) {
      this.#report("silent", { silentS: Math.floor(silentS) });
    }
    if (!this.#socket || secondsSince(this.#socketHeardAt) < this.#patienceS) return;
    const worked = this.#heard;
    this.#abandon();
    if (worked) this.#open();
    else this.#onRefusal();
  }

  get #patienceS() {
    if (this.#socket?.readyState === WebSocket.CONNECTING) return CONNECT_WITHIN_S;
    if (!this.#awaitsSnapshot) return RECONNECT_AFTER_S;
    return SNAPSHOT_WITHIN_S * 2 ** Math.min(this.#failures, MAX_DOUBLINGS);
  }

  /** @param {CloseEvent} event */
  #onClose({ code, reason }) {
    if (code === UNKNOWN_RUN || code === WRONG_KEY) {
      this.#end(code === WRONG_KEY ? "The presenter link is not valid." : reason || null);
      return;
    }
    this.#socket = null;
    if (this.#heard) this.#waitToRetry(this.#waitS);
    else this.#onRefusal();
  }

  /**
   * The run does not exist.
   *
   * @param {string | null} reason in the words of the server.
   */
  #end(reason) {
    this.#report("gone", { reason });
    this.close();
  }

  /** A connection brought nothing: try again, and meanwhile ask over HTTP. */
  async #onRefusal() {
    this.#failures += 1;
    this.#waitToRetry(this.#waitS);
    this.#waitS = Math.min(this.#waitS * 2, LONGEST_WAIT_S);
    if (this.#poller) return;
    const reason = await websocketRefusal(this.#stream);
    if (reason === null || this.#closed || this.#heard || this.#poller) return;
    this.#poller = new MessagePoller(this.#stream, () => this.#since, {
      messages: (messages) => {
        messages.forEach((message) => this.#receive(message));
        this.#heardAt = performance.now();
        this.#messageAt = Date.now();
        this.#report("polling", { reason });
      },
      unreachable: () => {
        this.#poller = null;
        this.#report("connecting");
      },
      gone: (reason) => this.#end(reason),
    });
  }

  /** @param {number} leftS */
  #waitToRetry(leftS) {
    if (leftS <= 0) {
      this.#open();
      return;
    }
    this.#reportUnlessPolling("waiting", { retryInS: leftS });
    this.#timer = setTimeout(() => this.#waitToRetry(leftS - 1), 1000);
  }

  /** Reconnect at once when the network or the visible page is back. */
  #retry() {
    if (this.#closed || document.visibilityState !== "visible") return;
    const broken = this.#heard && secondsSince(this.#heardAt) >= SILENT_AFTER_S;
    if (!this.#socket || broken) this.#open();
  }
}

/** @param {number} time by `performance.now()`. */
const secondsSince = (time) => (performance.now() - time) / 1000;
