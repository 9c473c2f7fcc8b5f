/**
 * The forward pass of a network, one character at a time.
 *
 * The equations are those of docs/protocol.md, "Checkpoint files". Sums and states are in double
 * precision, whatever the type of the weights.
 */

/** @typedef {Float32Array | Float64Array} Numbers row by row */
/** @typedef {{ h: Float64Array, c: Float64Array }} State `c` is used by the LSTM only */

/** @param {number} a */
const logistic = (a) => 1 / (1 + Math.exp(-a));

/**
 * One step of each cell: it replaces the state. `inputs` is U x + b and `recurrent` is W h, one
 * block of m numbers for each gate.
 *
 * @type {Record<string, (state: State, inputs: Float64Array, recurrent: Float64Array,
 *   d: Numbers) => void>}
 */
const CELLS = {
  rnn({ h }, inputs, recurrent) {
    for (let i = 0; i < h.length; i++) h[i] = Math.tanh(inputs[i] + recurrent[i]);
  },

  gru({ h }, inputs, recurrent, d) {
    const m = h.length;
    for (let i = 0; i < m; i++) {
      const r = logistic(inputs[i] + recurrent[i]);
      const z = logistic(inputs[m + i] + recurrent[m + i]);
      const n = Math.tanh(inputs[2 * m + i] + r * (recurrent[2 * m + i] + d[i]));
      h[i] = (1 - z) * n + z * h[i];
    }
  },

  lstm({ h, c }, inputs, recurrent) {
    const m = h.length;
    for (let i = 0; i < m; i++) {
      const g = Math.tanh(inputs[i] + recurrent[i]);
      const input = logistic(inputs[m + i] + recurrent[m + i]);
      const forget = logistic(inputs[2 * m + i] + recurrent[2 * m + i]);
      const output = logistic(inputs[3 * m + i] + recurrent[3 * m + i]);
      c[i] = forget * c[i] + input * g;
      h[i] = output * Math.tanh(c[i]);
    }
  },
};

/**
 * Add a matrix times a vector to `sums`.
 *
 * @param {Numbers} matrix
 * @param {Float64Array} vector
 * @param {Float64Array} sums
 */
function addProduct(matrix, vector, sums) {
  const columns = vector.length;
  for (let row = 0, at = 0; row < sums.length; row++) {
    let sum = sums[row];
    for (let column = 0; column < columns; column++, at++) sum += matrix[at] * vector[column];
    sums[row] = sum;
  }
}

/** One layer: its parameters, and its state between two characters. */
class Layer {
  #step;
  /** @type {Numbers} */
  #U;
  /** @type {Numbers} */
  #W;
  /** @type {Numbers} */
  #b;
  /** The GRU's second bias. @type {Numbers} */
  #d;
  #first;
  #inputs;
  #recurrent;
  /** @type {State} */
  state;

  /**
   * @param {string} cell
   * @param {(symbol: string) => Numbers} parameter
   * @param {(symbol: string) => Numbers} state the state to start from
   */
  constructor(cell, parameter, state) {
    this.#step = CELLS[cell];
    [this.#U, this.#W, this.#b, this.#d] = ["U", "W", "b", "d"].map(parameter);
    this.#first = state;
    this.#inputs = new Float64Array(this.#b.length);
    this.#recurrent = new Float64Array(this.#b.length);
    this.state = { h: new Float64Array(0), c: new Float64Array(0) };
    this.reset();
  }

  reset() {
    this.state = { h: Float64Array.from(this.#first("h")), c: new Float64Array(0) };
    const c = this.#first("c");
    if (c) this.state.c = Float64Array.from(c);
  }

  /** Read a character: U times its one-hot vector is a column of U. @param {number} index */
  readCharacter(index) {
    const columns = this.#U.length / this.#b.length;
    for (let row = 0; row < this.#b.length; row++) {
      this.#inputs[row] = this.#b[row] + this.#U[row * columns + index];
    }
    this.#advance();
  }

  /** Read the hidden state of the layer below. @param {Float64Array} below */
  readLayer(below) {
    this.#inputs.set(this.#b);
    addProduct(this.#U, below, this.#inputs);
    this.#advance();
  }

  #advance() {
    this.#recurrent.fill(0);
    addProduct(this.#W, this.state.h, this.#recurrent);
    this.#step(this.state, this.#inputs, this.#recurrent, this.#d);
  }
}

export class Network {
  #layers;
  #V;
  #c;
  #logits;

  /**
   * @param {Record<string, Numbers>} arrays `parameters.*` and `state.*`
   * @param {string} cell "rnn", "gru" or "lstm"
   * @param {number} layers
   */
  constructor(arrays, cell, layers) {
    this.#layers = Array.from({ length: layers }, (_, layer) => {
      const number = layers === 1 ? "" : layer + 1;
      return new Layer(
        cell,
        (symbol) => arrays[`parameters.${symbol}${number}`],
        (symbol) => arrays[`state.${symbol}${number}`],
      );
    });
    this.#V = arrays["parameters.V"];
    this.#c = arrays["parameters.c"];
    this.#logits = new Float64Array(this.#c.length);
  }

  /** Return to the state in the file. */
  reset() {
    for (const layer of this.#layers) layer.reset();
  }

  /**
   * Read a character.
   *
   * @param {number} index
   * @returns {Float64Array} the logits of the next character; the next call overwrites them.
   */
  read(index) {
    const [lowest, ...others] = this.#layers;
    lowest.readCharacter(index);
    let { h } = lowest.state;
    for (const layer of others) {
      layer.readLayer(h);
      ({ h } = layer.state);
    }
    this.#logits.set(this.#c);
    addProduct(this.#V, h, this.#logits);
    return this.#logits;
  }
}
