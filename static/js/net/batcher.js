/**
 * Messages on their way to the store, few at a time.
 *
 * Hundreds of samples a second, of which one can be read, would be drawn one by one: those that
 * come soon after something was given wait for each other. Whatever else comes is given at once,
 * with all that waits before it. A hurrah is celebrated alone, and so is not made to wait.
 */

const BETWEEN_MS = 100;

export class MessageBatcher {
  #deliver;
  #messages = []; // oldest first
  #deliveredAt = -Infinity;
  #timer = null;

  /** @param {(messages: Object[]) => void} deliver called with messages in the order they came in. */
  constructor(deliver) {
    this.#deliver = deliver;
  }

  /** Take a message in. */
  add(message) {
    this.#messages.push(message);
    const plain = message.type === "sample" && !message.sample.hurrahs?.length;
    if (plain && performance.now() - this.#deliveredAt < BETWEEN_MS) {
      this.#timer ??= setTimeout(() => this.#flush(), BETWEEN_MS);
    } else {
      this.#flush();
    }
  }

  #flush() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#deliveredAt = performance.now();
    this.#deliver(this.#messages.splice(0));
  }
}
