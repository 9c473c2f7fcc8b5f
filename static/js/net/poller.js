/** Repeats a request while the page is visible, one at a time. */

import { Problem } from "./api.js";

/**
 * @template T
 */
export class Poller {
  #request;
  #on;
  #everyMs;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #busy = false;
  #again = false;

  /**
   * @param {() => Promise<T>} request
   * @param {Object} on
   * @param {(answer: T) => boolean} on.answer called with each answer; whether to ask again.
   * @param {(problem: Problem) => boolean} on.problem called with each error; whether to ask again.
   * @param {number} everyMs the time between an answer and the next request.
   */
  constructor(request, on, everyMs) {
    this.#request = request;
    this.#on = on;
    this.#everyMs = everyMs;
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible" && this.#timer !== undefined) this.now();
    });
  }

  /** Ask now, also after the last answer had said not to ask again. */
  now() {
    clearTimeout(this.#timer);
    if (this.#busy) this.#again = true;
    else this.#ask();
  }

  async #ask() {
    this.#busy = true;
    this.#again = false;
    const goesOn = await this.#answered();
    this.#busy = false;
    if (this.#again) this.#ask();
    else this.#timer = goesOn ? setTimeout(() => this.#next(), this.#everyMs) : undefined;
  }

  /** Nobody sees a hidden page; `visibilitychange` continues. */
  #next() {
    if (document.visibilityState === "visible") this.#ask();
  }

  async #answered() {
    try {
      return this.#on.answer(await this.#request());
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return this.#on.problem(error);
    }
  }
}
