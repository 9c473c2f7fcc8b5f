/** The saliencies in a probe. */

/** @type {WeakMap<Saliency, Uint8Array>} */
const decoded = new WeakMap();

/**
 * How much the logit of a character depends on each character, as a share of the greatest
 * dependence: 0 to 1. Null if the probe has no saliencies of this character.
 *
 * @param {Probe} probe
 * @param {number} index
 * @returns {((other: number) => number) | null}
 */
export function dependenceOf({ saliency }, index) {
  if (!saliency) return null;
  const { first, shape, uint8 } = saliency;
  const [rows, columns] = shape;
  const row = index - first;
  if (row < 0 || row >= rows) return null;
  let bytes = decoded.get(saliency);
  if (!bytes) {
    bytes = Uint8Array.from(atob(uint8), (character) => character.charCodeAt(0));
    decoded.set(saliency, bytes);
  }
  const all = bytes;
  return (other) => {
    const column = other - first;
    return column >= 0 && column < columns ? all[row * columns + column] / 255 : 0;
  };
}
