/**
 * Messages on their way to the store, few at a time.
 *
 * Hundreds of samples a second, of which one can be read, would be drawn one by one: those that
 * come soon after something was given wait for each other. Whatever else comes is given at once,
 * with all that waits before it. A hurrah is celebrated alone, and so is not made to wait.
 */

const BETWEEN_MS = 100;

export class Gathering {
  #give;
  #messages = []; // oldest first
  #gaveAt = -Infinity;
  #timer = null;

  /** @param {(messages: Object[]) => void} give called with messages in the order they came in. */
  constructor(give) {
    this.#give = give;
  }

  /** Take a message in. */
  add(message) {
    this.#messages.push(message);
    const plain = message.type === "sample" && !message.sample.hurrahs?.length;
    if (plain && performance.now() - this.#gaveAt < BETWEEN_MS) {
      this.#timer ??= setTimeout(() => this.#giveAll(), BETWEEN_MS);
    } else {
      this.#giveAll();
    }
  }

  #giveAll() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#gaveAt = performance.now();
    this.#give(this.#messages.splice(0));
  }
}
