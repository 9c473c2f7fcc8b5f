/** States and gradients as strips of cells, one for each unit: blue below zero, accent above. */

import { resolve } from "../../lib/theme.js";

const FULL = 127;
const OPAQUE = 215; // of 255
const NAMES = { high: "--accent", low: "--series-2" };

/** @param {Int8Matrix} matrix @returns {Int8Array[]} */
export function rowsOf({ shape: [n, m], int8 }) {
  const bytes = Uint8Array.from(atob(int8), (character) => character.charCodeAt(0));
  const values = new Int8Array(bytes.buffer);
  return Array.from({ length: n }, (_, i) => values.subarray(i * m, (i + 1) * m));
}

/** The colours of the theme in use, as red, green and blue. */
export function stripColours() {
  const { high, low } = resolve(NAMES);
  return { high: channels(high), low: channels(low) };
}

/** @param {string} colour */
const channels = (colour) => (colour.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number);

/**
 * Draw one pixel for each unit; style sheets stretch the canvas.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {Int8Array} values
 * @param {{high: number[], low: number[]}} colours
 */
export function drawStrip(canvas, values, { high, low }) {
  canvas.width = 1;
  canvas.height = values.length;
  const context = canvas.getContext("2d");
  if (!context) return;
  const image = context.createImageData(1, values.length);
  values.forEach((value, i) => {
    const [red, green, blue] = value < 0 ? low : high;
    const alpha = Math.round((Math.abs(value) / FULL) * OPAQUE);
    image.data.set([red, green, blue, alpha], 4 * i);
  });
  context.putImageData(image, 0, 0);
}
