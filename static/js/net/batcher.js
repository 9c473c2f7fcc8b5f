/**
 * Batches messages on their way to the store.
 *
 * Samples can arrive hundreds of times a second, far faster than anyone can read. Samples that
 * follow a delivery closely are held back and delivered together. Any other message is delivered at
 * once, after the messages held back before it. A sample with a hurrah is not held back, since it
 * is announced on its own.
 */

const BETWEEN_MS = 100;

export class MessageBatcher {
  #deliver;
  /** @type {ServerMessage[]} */
  #messages = []; // oldest first
  #deliveredAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /** @param {(messages: ServerMessage[]) => void} deliver gets the messages in order of arrival. */
  constructor(deliver) {
    this.#deliver = deliver;
  }

  /** @param {ServerMessage} message */
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
    this.#timer = undefined;
    this.#deliveredAt = performance.now();
    this.#deliver(this.#messages.splice(0));
  }
}
