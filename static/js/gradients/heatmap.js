/** The relative errors of one parameter as a heatmap, one cell per entry. */

import { colourOf, passes, errorText } from "./relative-errors.js";
import { el } from "../lib/dom.js";

const LARGEST_CELL_PX = 8;
const SMALLEST_CELL_PX = 2;
const HIGHEST_MAP_PX = 320;
const GAP_FROM_PX = 4;
const DOTTED_FROM_PX = 7;
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

/**
 * A parameter with the errors of its entries by method, one row per unit. Of a large one, there may
 * be the greatest error of each of fewer blocks of entries.
 *
 * @typedef {{name: string, shape: number[], errors: Record<string, (number | null)[][]>}}
 *   MappedParameter
 */

/** How each method is named after the error of an entry. */
const METHOD_WORDS = {
  complex_step: "by complex step",
  central_difference: "by central difference",
  answer: "against the right gradient",
};

export class HeatMap {
  #parameter;
  #rows = [];
  #threshold = 0;
  #colours = null;
  #cell = LARGEST_CELL_PX;
  #selected = null;
  #describe;
  #canvas;
  #caption;
  element;

  /**
   * @param {MappedParameter} parameter
   * @param {(sentence: string | null) => void} describe called with a description of the entry
   *   under the pointer; null for none.
   */
  constructor(parameter, describe) {
    this.#parameter = parameter;
    this.#describe = describe;
    this.#caption = el("small", {});
    this.#canvas = el("canvas", {
      tabindex: "0",
      role: "application",
      on: {
        pointermove: (event) => this.#onPointer(event),
        pointerdown: (event) => this.#onPointer(event),
        pointerleave: () => this.#clear(),
        focus: () => this.#select(this.#selected ?? this.#worstEntry()),
        blur: () => this.#clear(),
        keydown: (event) => this.#move(event),
      },
    });
    this.element = el(
      "figure",
      { class: "heat-map" },
      el("figcaption", {}, el("b", { text: parameter.name }), " ", this.#caption),
      this.#canvas,
    );
  }

  /** The cell size, in pixels, with which the heatmaps of all parameters fit into a width. */
  static cellFor(parameters, width) {
    const rows = parameters.map(({ errors }) => Object.values(errors)[0]);
    const widest = Math.max(...rows.map(([first]) => first.length));
    const highest = Math.max(...rows.map(({ length }) => length));
    const fitting = Math.floor(Math.min((width - 2) / widest, HIGHEST_MAP_PX / highest));
    return Math.max(SMALLEST_CELL_PX, Math.min(LARGEST_CELL_PX, fitting));
  }

  /** Draw the errors of a method with a cell size in pixels. */
  show({ method, threshold, colours, cell }) {
    this.#rows = this.#parameter.errors[method];
    this.#threshold = threshold;
    this.#colours = colours;
    this.#cell = cell;
    const failing = this.#rows.flat().filter((error) => !passes(error, threshold)).length;
    const entries = this.#rows.length * this.#rows[0].length;
    const shape = this.#parameter.shape.join(" × ");
    const [height, width = 1] = this.#parameter.shape;
    const what = entries === height * width ? "entries" : "blocks";
    const some = what === "entries" ? failing.toLocaleString("en-US") : "some";
    this.#caption.textContent = failing
      ? `${shape}, ${failing === entries && what === "entries" ? "all" : some} wrong`
      : shape;
    this.#canvas.setAttribute(
      "aria-label",
      `${this.#parameter.name}, ${shape}: ${failing} of ${entries} ${what} wrong. ` +
        "Arrow keys move from entry to entry.",
    );
    this.#draw();
  }

  #draw() {
    const cell = this.#cell;
    const [height, width] = [this.#rows.length * cell, this.#rows[0].length * cell];
    const density = window.devicePixelRatio || 1;
    this.#canvas.width = width * density;
    this.#canvas.height = height * density;
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    const context = this.#canvas.getContext("2d");
    context.scale(density, density);
    const gap = cell >= GAP_FROM_PX ? 1 : 0;
    this.#rows.forEach((row, i) =>
      row.forEach((error, j) => this.#drawEntry(context, error, j * cell, i * cell, cell - gap)),
    );
    if (!this.#selected) return;
    const [i, j] = this.#selected;
    context.strokeStyle = this.#colours.ink;
    context.lineWidth = 2;
    context.strokeRect(j * cell, i * cell, cell - gap, cell - gap);
  }

  /** An entry that fails has a dot, so that it can be recognized without its colour. */
  #drawEntry(context, error, x, y, side) {
    context.fillStyle = colourOf(error, this.#threshold, this.#colours);
    context.fillRect(x, y, side, side);
    if (passes(error, this.#threshold) || this.#cell < DOTTED_FROM_PX) return;
    context.fillStyle = this.#colours.card;
    context.fillRect(x + side / 2 - 1, y + side / 2 - 1, 2, 2);
  }

  #onPointer(event) {
    const box = this.#canvas.getBoundingClientRect();
    const cellAt = (/** @type {number} */ pixel) => Math.floor(pixel / this.#cell);
    this.#select([cellAt(event.clientY - box.top), cellAt(event.clientX - box.left)]);
  }

  #move(event) {
    const step = STEPS[event.key];
    if (!step || !this.#selected) return;
    event.preventDefault();
    this.#select([this.#selected[0] + step[0], this.#selected[1] + step[1]]);
  }

  #select([i, j]) {
    const row = Math.min(Math.max(i, 0), this.#rows.length - 1);
    const column = Math.min(Math.max(j, 0), this.#rows[0].length - 1);
    this.#selected = [row, column];
    this.#draw();
    this.#describe(this.#sentence(row, column));
  }

  #clear() {
    this.#selected = null;
    this.#draw();
    this.#describe(null);
  }

  #sentence(row, column) {
    const { name, shape, errors } = this.#parameter;
    const [rows] = Object.values(errors);
    const at = [row, column];
    const sizes = [rows.length, rows[0].length];
    const index = shape.map((length, axis) => blockText(at[axis], sizes[axis], length)).join(", ");
    const found = Object.entries(errors).map(
      ([method, rows]) => `${errorText(rows[row][column])} ${METHOD_WORDS[method]}`,
    );
    return `${name}[${index}]: ${found.join(", ")}`;
  }

  #worstEntry() {
    let found = [0, 0];
    this.#rows.forEach((row, i) =>
      row.forEach((error, j) => {
        if ((error ?? Infinity) > (this.#rows[found[0]][found[1]] ?? Infinity)) found = [i, j];
      }),
    );
    return found;
  }
}

/**
 * The indices of a block along an axis that is divided into `blocks`: "7", or "14–15".
 *
 * @type {(block: number, blocks: number, length: number) => string}
 */
function blockText(block, blocks, length) {
  const first = Math.floor((block * length) / blocks);
  const last = Math.floor(((block + 1) * length) / blocks) - 1;
  return first === last ? String(first) : `${first}–${last}`;
}
