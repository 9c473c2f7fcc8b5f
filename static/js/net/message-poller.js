/** Asks for the messages of a stream over HTTP, where no WebSocket gets through. */

import { getMessages, Problem } from "./api.js";

export const POLL_EVERY_S = 3;
const NOT_FOUND = 404;

export class MessagePoller {
  #stream;
  #since;
  #on;
  #stopped = false;

  /**
   * @param {import("./api.js").Stream} stream
   * @param {() => number | null} since the number of the last message that has arrived.
   * @param {Object} on
   * @param {(messages: any[]) => void} on.messages called with each answer.
   * @param {() => void} on.unreachable called once; the poller has then stopped.
   * @param {(reason: string) => void} on.gone called once: the run does not exist.
   */
  constructor(stream, since, on) {
    this.#stream = stream;
    this.#since = since;
    this.#on = on;
    this.#poll();
  }

  stop() {
    this.#stopped = true;
  }

  async #poll() {
    if (this.#stopped) return;
    // Nobody sees a hidden page.
    if (document.visibilityState === "visible") {
      try {
        const messages = await getMessages(this.#stream, this.#since());
        if (this.#stopped) return;
        this.#on.messages(messages);
      } catch (error) {
        if (!(error instanceof Problem)) throw error;
        if (this.#stopped) return;
        this.stop();
        if (error.status === NOT_FOUND) this.#on.gone(error.message);
        else this.#on.unreachable();
        return;
      }
    }
    setTimeout(() => this.#poll(), POLL_EVERY_S * 1000);
  }
}
