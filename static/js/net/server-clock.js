/**
 * The server's clock, told from here: a message says when it was sent by that one, and this
 * device's own may be minutes off.
 *
 * As in Cristian's algorithm (1989): of an answer that says what time it was at the server, that
 * time lies between asking and receiving; taking the middle errs by at most half the time between.
 */

import { serverTime } from "./api.js";

const QUESTIONS = 3;
const AGAIN_MS = 5 * 60_000; // two clocks may run apart by some milliseconds in that time

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
    return this.#aheadMs === null ? null : timeHere() + this.#aheadMs;
  }

  /** Ask now, and again every few minutes. */
  keepAsking() {
    const ask = async () => {
      if (document.visibilityState === "visible") await this.ask();
      setTimeout(ask, AGAIN_MS);
    };
    ask();
  }

  /** Ask a few times; the quickest answer is the surest. */
  async ask() {
    this.#errorMs = Infinity;
    for (let asked = 0; asked < QUESTIONS; asked += 1) {
      const before = timeHere();
      const then = await serverTime();
      if (then === null) return;
      this.learn(before, then, timeHere());
    }
  }

  /** Learn from one answer: asked, made, and received at these times, in milliseconds. */
  learn(asked, made, received) {
    const error = (received - asked) / 2;
    if (error >= this.#errorMs) return;
    this.#errorMs = error;
    this.#aheadMs = made - (asked + received) / 2;
  }
}

/** This device's time in milliseconds since 1970, to a fraction of one. */
const timeHere = () => performance.timeOrigin + performance.now();
