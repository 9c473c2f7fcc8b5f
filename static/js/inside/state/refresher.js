/**
 * Keeps an answer of the server current: a request when the wanted one changes, and again when the
 * run has made another update.
 *
 * The next request is sent when the last answer is drawn, at most five times a second for the
 * operator or a single viewer, less often for many viewers or where answers take long. Nothing is
 * requested while the page is hidden, or nothing changes.
 */

import * as api from "../../net/api.js";
import { isLive } from "./reducers.js";

const INTERVAL_MS = 200;
const LONGEST_INTERVAL_MS = 5000;
const RETRY_MS = 3000;

export class Refresher {
  #store;
  #wanted;
  #fetch;
  #show;
  #refuse;
  #leastMs;
  /** @type {string | null} what the last answer is of, or the request on its way. */
  #key = null;
  /** @type {any} */
  #last = null;
  #version;
  /** @type {string | null} what the run was like at that request. */
  #seen = null;
  /** @type {AbortController | null} */
  #request = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #startedMs = -Infinity;
  #tookMs = 0;
  /** Not before this time, by `performance.now()`. */
  #blockedUntilMs = -Infinity;

  /**
   * @param {InsideStore} store
   * @param {Object} options
   * @param {(state: InsideState) => any} options.wanted the request, a JSON value that names the
   *   run; null: none now.
   * @param {(wanted: any, signal: AbortSignal) => Promise<any>} options.fetch
   * @param {(answer: any, wanted: any) => void} options.show draws an answer.
   * @param {(problem: any) => void} options.refuse called with a `Problem`.
   * @param {boolean} [options.live] whether the answer depends on the live network, if that is the
   *   one in view.
   * @param {number} [options.leastMs] the shortest time between two requests for the same.
   */
  constructor(store, { wanted, fetch, show, refuse, live = true, leastMs = INTERVAL_MS }) {
    this.#store = store;
    this.#wanted = wanted;
    this.#fetch = fetch;
    this.#show = show;
    this.#refuse = refuse;
    this.#version = live ? versionOf : () => "";
    this.#leastMs = leastMs;
    document.addEventListener("visibilitychange", () => this.#next());
    store.watch(
      (state) => [JSON.stringify(wanted(state)), this.#version(state), isReachable(state)],
      () => this.#next(),
    );
  }

  #next() {
    clearTimeout(this.#timer);
    const state = this.#store.get();
    const wanted = this.#wanted(state);
    const key = wanted && JSON.stringify(wanted);
    // The answer about another run must not be drawn. Any other is better than none: while a slider
    // moves, the next request would come before each answer.
    if (this.#last?.run !== wanted?.run) {
      this.#request?.abort();
      this.#request = null;
    }
    if (!wanted || this.#request || document.hidden || !isReachable(state)) return;
    if (key === this.#key && this.#version(state) === this.#seen) return;
    const now = performance.now();
    const interval = key === this.#key ? this.#intervalMs(state) : 0;
    const startMs = Math.max(this.#startedMs + interval, this.#blockedUntilMs);
    if (startMs > now) this.#timer = setTimeout(() => this.#next(), startMs - now);
    else this.#send(wanted, key, this.#version(state));
  }

  /** @param {InsideState} state */
  #intervalMs({ operator, viewers }) {
    const shared = operator ? 1 : Math.max(viewers ?? 1, 1);
    return Math.min(Math.max(this.#leastMs * shared, 2 * this.#tookMs), LONGEST_INTERVAL_MS);
  }

  /**
   * @param {any} wanted
   * @param {string} key
   * @param {string} version
   */
  async #send(wanted, key, version) {
    const request = new AbortController();
    this.#request = request;
    [this.#last, this.#key, this.#seen] = [wanted, key, version];
    this.#startedMs = performance.now();
    try {
      const answer = await this.#fetch(wanted, request.signal);
      if (this.#request !== request) return;
      this.#tookMs = performance.now() - this.#startedMs;
      this.#show(answer, wanted);
    } catch (error) {
      if (!(error instanceof api.Problem)) {
        if (error instanceof Error && error.name === "AbortError") return;
        throw error;
      }
      if (this.#request !== request) return;
      if (error.status === 0 || error.status === 429 || error.status >= 500) {
        // It may succeed later.
        this.#blockedUntilMs = performance.now() + (error.retryAfterS * 1000 || RETRY_MS);
        this.#seen = null;
      }
      this.#refuse(error);
    }
    this.#request = null;
    this.#next();
  }
}

/** What changes when the live network does, or stands still; a snapshot never changes. */
const versionOf = (/** @type {InsideState} */ state) =>
  isLive(state) ? `${state.run?.update} ${state.run?.state}` : "";

const isReachable = (/** @type {InsideState} */ { connection }) =>
  connection.status === "live" || connection.status === "polling";
