/** The geometry of a sparkline. */

/**
 * Shares of a width, 0 to 1, for ascending updates: linear or logarithmic.
 *
 * @param {number[]} updates
 * @param {boolean} log
 * @returns {number[]}
 */
export function positionsOf(updates, log) {
  const position = log ? (update) => Math.log10(Math.max(update, 0.5)) : (update) => update;
  const first = position(updates[0] ?? 0);
  const span = position(updates.at(-1) ?? 0) - first;
  return updates.map((update) => (span ? (position(update) - first) / span : 1));
}

/** The index of the position nearest to `share`; of two equally near ones, the later. */
export function nearestPosition(positions, share) {
  let nearest = 0;
  positions.forEach((position, i) => {
    if (Math.abs(position - share) <= Math.abs(positions[nearest] - share)) nearest = i;
  });
  return nearest;
}

/**
 * A line through the values as an SVG path in a box of 100 by 100, with the maximum at the top.
 *
 * @param {number[]} values at least 0.
 * @param {number[]} positions see `positionsOf`.
 * @param {number} most the value at the top.
 */
export function pathOf(values, positions, most) {
  return values
    .map((value, i) => `${i ? "L" : "M"}${rounded(positions[i] * 100)} ${heightOf(value, most)}`)
    .join("");
}

/** The distance of a value from the top, in hundredths of the height. */
export const heightOf = (value, most) => rounded(100 - (most ? (value / most) * 100 : 0));

const rounded = (value) => Math.round(value * 100) / 100;
