/** Writing a text with the network, one character after the other. */

import { draw, randomNumbers, softmax } from "./sampling.js";

/** @typedef {import("./network.js").Network} Network */

export class Writer {
  #network;
  #characters;
  #nextIndex;
  /** @type {Map<string, number>} */
  #indices;
  #random = randomNumbers(0);
  /** @type {Float64Array} */
  #logits;

  /**
   * @param {Network} network
   * @param {string} vocabulary
   * @param {number} nextIndex the character that the network reads first
   */
  constructor(network, vocabulary, nextIndex) {
    this.#network = network;
    // Characters are code points.
    this.#characters = Array.from(vocabulary);
    this.#indices = new Map(this.#characters.map((character, index) => [character, index]));
    this.#nextIndex = nextIndex;
    this.#logits = network.read(nextIndex);
  }

  /** The characters of a text that the network does not know. @param {string} text */
  unknownIn(text) {
    return [...new Set(text)].filter((character) => !this.#indices.has(character));
  }

  /**
   * Begin a text.
   *
   * The network reads `prime` from the state in the file, as the server does; without a prime, the
   * character that came next in training.
   *
   * @param {string} prime
   * @param {number} seed
   * @returns {string} the prime without its unknown characters
   */
  begin(prime, seed) {
    this.#random = randomNumbers(seed);
    this.#network.reset();
    const known = Array.from(prime).filter((character) => this.#indices.has(character));
    const indices = known.map((character) => /** @type {number} */ (this.#indices.get(character)));
    for (const index of indices.length ? indices : [this.#nextIndex]) {
      this.#logits = this.#network.read(index);
    }
    return known.join("");
  }

  /**
   * The likeliest next characters, the likeliest first.
   *
   * @param {number} temperature
   * @param {number} count
   * @returns {{ character: string, probability: number }[]}
   */
  likeliest(temperature, count) {
    const probabilities = softmax(this.#logits, temperature);
    return Array.from(probabilities, (probability, index) => ({ index, probability }))
      .sort((one, other) => other.probability - one.probability || one.index - other.index)
      .slice(0, count)
      .map(({ index, probability }) => ({ character: this.#characters[index], probability }));
  }

  /**
   * Write the next character.
   *
   * @param {number} temperature
   * @returns {{ character: string, bits: number }} `bits` is its surprisal at temperature 1.
   */
  write(temperature) {
    const own = softmax(this.#logits, 1);
    const probabilities = temperature === 1 ? own : softmax(this.#logits, temperature);
    const index = draw(probabilities, this.#random());
    const bits = -Math.log2(own[index]);
    this.#logits = this.#network.read(index);
    return { character: this.#characters[index], bits };
  }
}
