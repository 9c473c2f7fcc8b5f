/**
 * An estimate of the server's clock on this device. Messages carry the server's time, and the clock
 * of this device may be minutes off.
 *
 * Cristian's algorithm (1989): the server's answer states its time, which lies between sending the
 * request and receiving the answer. Taking the middle is wrong by at most half the round trip.
 */

import { serverTime } from "./api.js";

const REQUESTS = 3;
const SYNC_EVERY_MS = 5 * 60_000; // two clocks drift apart by some milliseconds in that time

export class ServerClock {
  /** @type {number | null} */
  #aheadMs = null;
  #errorMs = Infinity;
  #syncing = false;

  /** How far the server's clock is ahead of this device's, in milliseconds; null until known. */
  get aheadMs() {
    return this.#aheadMs;
  }

  /** The greatest possible error of `aheadMs`, in milliseconds. */
  get errorMs() {
    return this.#errorMs;
  }

  /** The server's time in milliseconds since 1970; null until known. */
  now() {
    return this.#aheadMs === null ? null : localTime() + this.#aheadMs;
  }

  /** Synchronize now and every few minutes. */
  start() {
    const sync = async () => {
      if (document.visibilityState === "visible") await this.sync();
      setTimeout(sync, SYNC_EVERY_MS);
    };
    sync();
  }

  /** Synchronize again, since one of the two clocks was set; the time is unknown until then. */
  resync() {
    if (this.#syncing) return;
    this.#aheadMs = null;
    this.sync();
  }

  /** Send a few requests; the fastest answer gives the best estimate. */
  async sync() {
    this.#syncing = true;
    this.#errorMs = Infinity;
    for (let i = 0; i < REQUESTS; i += 1) {
      const before = localTime();
      const then = await serverTime();
      if (then === null) break;
      this.observe(before, then, localTime());
    }
    this.#syncing = false;
  }

  /**
   * Use one answer, if it is better than the ones before. All times are in milliseconds.
   *
   * @param {number} askedAt by this device's clock.
   * @param {number} answeredAt by the server's clock.
   * @param {number} receivedAt by this device's clock.
   */
  observe(askedAt, answeredAt, receivedAt) {
    const error = (receivedAt - askedAt) / 2;
    if (error >= this.#errorMs) return;
    this.#errorMs = error;
    this.#aheadMs = answeredAt - (askedAt + receivedAt) / 2;
  }
}

/** This device's time in milliseconds since 1970, to a fraction of a millisecond. */
const localTime = () => performance.timeOrigin + performance.now();
