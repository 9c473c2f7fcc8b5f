/**
 * The server's clock, told from here: a message says when it was sent by that one, and this
 * device's own may be minutes off.
 *
 * As in Cristian's algorithm (1989): of an answer that says what time it was at the server, that
 * time lies between asking and receiving; taking the middle errs by at most half the time between.
 */

import { serverTime } from "./api.js";

const REQUESTS = 3;
const SYNC_EVERY_MS = 5 * 60_000; // two clocks may run apart by some milliseconds in that time

export class ServerClock {
  #aheadMs = null;
  #errorMs = Infinity;

  /** How far the server's clock is ahead of this one, in milliseconds; null until known. */
  get aheadMs() {
    return this.#aheadMs;
  }

  /** By how much that can be wrong, in milliseconds. */
  get errorMs() {
    return this.#errorMs;
  }

  /** The server's time now, in milliseconds since 1970; null until known. */
  now() {
    return this.#aheadMs === null ? null : localTime() + this.#aheadMs;
  }

  /** Ask now, and again every few minutes. */
  start() {
    const sync = async () => {
      if (document.visibilityState === "visible") await this.sync();
      setTimeout(sync, SYNC_EVERY_MS);
    };
    sync();
  }

  /** Ask a few times; the quickest answer is the surest. */
  async sync() {
    this.#errorMs = Infinity;
    for (let i = 0; i < REQUESTS; i += 1) {
      const before = localTime();
      const then = await serverTime();
      if (then === null) return;
      this.observe(before, then, localTime());
    }
  }

  /** Learn from one answer: asked, made, and received at these times, in milliseconds. */
  observe(askedAt, answeredAt, receivedAt) {
    const error = (receivedAt - askedAt) / 2;
    if (error >= this.#errorMs) return;
    this.#errorMs = error;
    this.#aheadMs = answeredAt - (askedAt + receivedAt) / 2;
  }
}

/** This device's time in milliseconds since 1970, to a fraction of one. */
const localTime = () => performance.timeOrigin + performance.now();
