/**
 * A heat map of units by characters on a canvas. It is as large as the part in view, and is drawn
 * again when that is scrolled, so its cost does not depend on the number of cells.
 */

import { textScaled } from "../../lib/dom.js";
import { theme } from "../../lib/theme.js";
import { FULL } from "./activations.js";
import { mapColours } from "./map-colours.js";

/** Sizes in pixels at the default text size. */
const SIZES = {
  detail: { cell: 13, row: 17 },
  overview: { cell: 4, row: 4 },
};
const HEADER = 24;
const LABELS = 190;
const NARROW = 560;
const NARROW_LABELS = 84;
const LABEL_EVERY = 15;
const CHARACTER_FROM = 9;

/** How invisible characters are shown. @type {Record<string, string>} */
const VISIBLE = { " ": "\u2423", "\n": "\u21b5", "\t": "\u21e5" };

/**
 * What a heat map shows.
 *
 * @typedef {Object} MapContent
 * @property {import("./activations.js").Activations} activations
 * @property {string[]} characters
 * @property {number[]} order the unit of each row.
 * @property {(unit: number) => { name: string, feature: string }} labelOf
 * @property {number | null} selected a unit.
 * @property {number | null} position a character.
 * @property {{ from: number, to: number } | null} stretch characters.
 * @property {keyof typeof SIZES} size
 *
 * @typedef {{ row: number, character: number }} Cell
 */

export class HeatMap {
  #scroller;
  #area;
  #canvas;
  /** @type {MapContent | null} */
  #content = null;
  /** @type {Cell | null} */
  #cursor = null;
  #frame = 0;

  /**
   * @param {HTMLElement} scroller contains `area`, which contains `canvas`.
   * @param {HTMLElement} area gets the size of the whole map.
   * @param {HTMLCanvasElement} canvas stays in view.
   */
  constructor(scroller, area, canvas) {
    [this.#scroller, this.#area, this.#canvas] = [scroller, area, canvas];
    scroller.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.#resize()).observe(scroller);
  }

  /** @param {MapContent | null} content */
  show(content) {
    this.#content = content;
    this.#resize();
  }

  /** Mark a cell; null: none. @param {Cell | null} cursor */
  mark(cursor) {
    this.#cursor = cursor;
    this.draw();
  }

  /** Scroll a cell into view. @param {Cell} cell */
  reveal({ row, character }) {
    const { labels, cell } = this.#layout();
    const scroller = this.#scroller;
    const room = scroller.clientWidth - labels;
    scroller.scrollLeft = within(scroller.scrollLeft, character * cell, cell, room);
    this.revealRow(row);
  }

  /** @param {number} row */
  revealRow(row) {
    const { header, height } = this.#layout();
    const scroller = this.#scroller;
    const room = scroller.clientHeight - header;
    scroller.scrollTop = within(scroller.scrollTop, row * height, height, room);
  }

  /**
   * The cell at a point of the screen; null beside all cells. Over the labels, `character` is null.
   *
   * @param {{ clientX: number, clientY: number }} point
   * @returns {{ row: number, character: number | null } | null}
   */
  cellAt({ clientX, clientY }) {
    if (!this.#content) return null;
    const { labels, header, cell, height } = this.#layout();
    const box = this.#canvas.getBoundingClientRect();
    const [x, y] = [clientX - box.left - labels, clientY - box.top - header];
    const row = Math.floor((y + this.#scroller.scrollTop) / height);
    const character = Math.floor((x + this.#scroller.scrollLeft) / cell);
    const { order, characters } = this.#content;
    if (y < 0 || row >= order.length || character >= characters.length) return null;
    return { row, character: x < 0 ? null : character };
  }

  /** How many whole rows are in view. */
  get rowsInView() {
    const { header, height } = this.#layout();
    return Math.max(1, Math.floor((this.#scroller.clientHeight - header) / height));
  }

  /** Draw before the next frame. */
  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#drawNow();
    });
  }

  #layout() {
    const { cell, row } = SIZES[this.#content?.size ?? "detail"];
    const narrow = this.#scroller.clientWidth < textScaled(NARROW);
    return {
      cell: textScaled(cell),
      height: textScaled(row),
      header: textScaled(HEADER),
      labels: textScaled(narrow ? NARROW_LABELS : LABELS),
    };
  }

  #resize() {
    const content = this.#content;
    if (!content || !this.#scroller.clientWidth) return;
    const { labels, header, cell, height } = this.#layout();
    this.#area.style.inlineSize = `${labels + content.characters.length * cell}px`;
    this.#area.style.blockSize = `${header + content.order.length * height}px`;
    this.draw();
  }

  #drawNow() {
    const content = this.#content;
    const { clientWidth: width, clientHeight: height } = this.#scroller;
    const context = this.#canvas.getContext("2d");
    if (!content || !width || !context) return;
    const density = window.devicePixelRatio || 1;
    const [pixelWidth, pixelHeight] = [width, height].map((px) => Math.round(px * density));
    if (this.#canvas.width !== pixelWidth || this.#canvas.height !== pixelHeight) {
      [this.#canvas.width, this.#canvas.height] = [pixelWidth, pixelHeight];
      this.#canvas.style.inlineSize = `${width}px`;
      this.#canvas.style.blockSize = `${height}px`;
    }
    drawMap(context, content, {
      ...this.#layout(),
      density,
      left: this.#scroller.scrollLeft,
      top: this.#scroller.scrollTop,
      width: pixelWidth,
      pixels: pixelHeight,
      cursor: this.#cursor,
    });
  }
}

/** The scroll position nearest to the present one that has a cell in view. */
function within(
  /** @type {number} */ scroll,
  /** @type {number} */ start,
  /** @type {number} */ size,
  /** @type {number} */ room,
) {
  return Math.max(Math.min(scroll, start), start + size - room);
}

/**
 * @typedef {Object} MapView the part in view, in pixels of the page; `width` and `pixels`, the
 *   height, in pixels of the screen.
 * @property {number} cell
 * @property {number} height of a row.
 * @property {number} header
 * @property {number} labels
 * @property {number} density
 * @property {number} left
 * @property {number} top
 * @property {number} width
 * @property {number} pixels
 * @property {Cell | null} cursor
 */

/**
 * Edges are rounded to whole pixels of the screen, so that no cell is blurred and no gap appears.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {MapContent} content
 * @param {MapView} view
 */
function drawMap(context, content, view) {
  const { activations, order } = content;
  const { cell, height, header, labels, density, left, top, width, pixels } = view;
  const colours = mapColours(theme());
  const x = (/** @type {number} */ i) => Math.round((labels + i * cell - left) * density);
  const y = (/** @type {number} */ i) => Math.round((header + i * height - top) * density);
  const [x0, y0] = [Math.round(labels * density), Math.round(header * density)];
  const rows = inView(top, height, pixels / density - header, order.length);
  const columns = inView(left, cell, width / density - labels, content.characters.length);

  context.clearRect(0, 0, width, pixels);
  context.save();
  context.beginPath();
  context.rect(x0, y0, width, pixels);
  context.clip();
  for (let row = rows.first; row < rows.end; row++) {
    const [at, size] = [y(row), y(row + 1) - y(row)];
    for (let i = columns.first; i < columns.end; i++) {
      const byte = activations.bytes[i * activations.m + order[row]];
      context.fillStyle = colours.cells[byte + FULL];
      context.fillRect(x(i), at, x(i + 1) - x(i), size);
    }
  }
  const frame = (left, top, width, height, colour, line) => {
    context.strokeStyle = colour;
    context.lineWidth = Math.max(1, Math.round(line * density));
    const half = context.lineWidth / 2;
    context.strokeRect(left + half, top + half, width - 2 * half, height - 2 * half);
  };
  const chosen = content.selected === null ? -1 : order.indexOf(content.selected);
  if (chosen >= 0) {
    const [start, end] = [x(columns.first), x(columns.end)];
    frame(start - 4, y(chosen), end - start + 8, y(chosen + 1) - y(chosen), colours.ink, 1);
  }
  if (view.cursor) {
    const { row, character: i } = view.cursor;
    frame(x(i) - 1, y(row) - 1, x(i + 1) - x(i) + 2, y(row + 1) - y(row) + 2, colours.ink, 2);
  }
  context.restore();
  drawCharacters(context, content, view, { colours, columns, x, x0, y0 });
  drawLabels(context, content, view, { colours, rows, chosen, y, x0, y0 });
}

const inView = (
  /** @type {number} */ scroll,
  /** @type {number} */ size,
  /** @type {number} */ room,
  /** @type {number} */ count,
) => ({
  first: Math.max(0, Math.floor(scroll / size)),
  end: Math.min(count, Math.ceil((scroll + room) / size)),
});

/** The characters above the columns. */
function drawCharacters(context, content, view, { colours, columns, x, x0, y0 }) {
  const { cell, density, width, cursor } = view;
  const { position, stretch, characters } = content;
  context.save();
  context.beginPath();
  context.rect(x0, 0, width, y0);
  context.clip();
  if (stretch) {
    context.fillStyle = colours.wash;
    context.fillRect(x(stretch.from), 0, x(stretch.to) - x(stretch.from), y0);
  }
  const line = Math.round(3 * density);
  context.textAlign = "center";
  context.textBaseline = "middle";
  for (let i = columns.first; i < columns.end; i++) {
    if (i === cursor?.character || i === position) {
      context.fillStyle = i === position ? colours.accent : colours.ink;
      context.fillRect(x(i), y0 - line, x(i + 1) - x(i), line);
    }
    if (cell < textScaled(CHARACTER_FROM)) continue;
    const shown = VISIBLE[characters[i]];
    context.fillStyle = shown ? colours.soft : colours.ink;
    context.font = `${textScaled(shown ? 11 : 14) * density}px ${colours.serif}`;
    context.fillText(shown ?? characters[i], (x(i) + x(i + 1)) / 2, y0 * 0.46);
  }
  context.restore();
}

/** The units beside the rows, where there is room for a label. */
function drawLabels(context, content, view, { colours, rows, chosen, y, x0, y0 }) {
  const { density, pixels, height, cursor } = view;
  const right = x0 - Math.round(8 * density);
  context.save();
  context.beginPath();
  context.rect(0, y0, x0, pixels);
  context.clip();
  context.textBaseline = "middle";
  const every = Math.max(1, Math.ceil(textScaled(LABEL_EVERY) / height));
  const pointed = cursor?.row ?? chosen;
  const size = textScaled(12) * density;
  // The features end in one column, whatever the lengths of the names.
  context.font = `650 ${size}px ${colours.sans}`;
  const longest = String(content.activations.m - 1).replaceAll(/./g, "0");
  const room = right - context.measureText(longest).width - Math.round(10 * density);
  for (let row = rows.first; row < rows.end; row++) {
    const near = pointed >= 0 && every > 1 && Math.abs(row - pointed) < every;
    if (near ? row !== pointed : row % every && row !== chosen) continue;
    const { name, feature } = content.labelOf(content.order[row]);
    const middle = (y(row) + y(row + 1)) / 2;
    const marked = row === chosen || row === cursor?.row;
    context.textAlign = "right";
    context.fillStyle = row === chosen ? colours.accent : colours.ink;
    context.font = `${marked ? 650 : 500} ${size}px ${colours.sans}`;
    context.fillText(name, right, middle);
    context.fillStyle = marked ? colours.ink : colours.soft;
    context.font = `${size}px ${colours.sans}`;
    context.fillText(shortened(context, feature, room), room, middle);
  }
  context.restore();
}

/** A text that fits into a width, with an ellipsis if it was cut. */
function shortened(context, /** @type {string} */ text, /** @type {number} */ width) {
  if (context.measureText(text).width <= width) return text;
  let length = text.length;
  while (length > 0 && context.measureText(`${text.slice(0, length)}…`).width > width) length--;
  return length > 2 ? `${text.slice(0, length)}…` : "";
}
