/** The activations of a probe, which travel as bytes in base64. */

/** The byte that stands for the greatest activation. */
export const FULL = 127;

/** How many tints there are for each sign; css/inside/unit-text.css has the colours. */
const TINTS = 7;

/**
 * The activations of the n characters and m units of a probe; `bytes` has a row for each character.
 *
 * @typedef {{ layer: number, n: number, m: number, max: number, bytes: Int8Array }} Activations
 */

/** @type {WeakMap<Probe, Activations>} */
const decoded = new WeakMap();

/** @param {Probe} probe @returns {Activations} */
export function activationsOf(probe) {
  let found = decoded.get(probe);
  if (!found) {
    const { layer, shape, int8, max } = probe.hidden;
    const text = atob(int8);
    const bytes = new Int8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i);
    found = { layer, n: shape[0], m: shape[1], max, bytes };
    decoded.set(probe, found);
  }
  return found;
}

/** @type {(activations: Activations, character: number, unit: number) => number} */
export const activationAt = ({ bytes, m, max }, character, unit) =>
  (bytes[character * m + unit] / FULL) * max;

/** The tint of an activation: -7 to 7. @param {number} byte */
export const tintOf = (byte) => Math.round((byte / FULL) * TINTS) || 0;
