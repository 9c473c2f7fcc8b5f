/** Where the points of a small curve stand. */

/**
 * Shares of a width, 0 to 1, for ascending updates: even, or by their logarithm.
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

/** The index of the place nearest to `share`, the later of two. */
export function nearestPosition(positions, share) {
  let nearest = 0;
  positions.forEach((position, i) => {
    if (Math.abs(position - share) <= Math.abs(positions[nearest] - share)) nearest = i;
  });
  return nearest;
}

/**
 * A line through the values as an SVG path in a box of 100 by 100, the greatest at its top.
 *
 * @param {number[]} values at least 0.
 * @param {number[]} positions as of `positionsOf`.
 * @param {number} most the value that stands at the top.
 */
export function pathOf(values, positions, most) {
  return values
    .map((value, i) => `${i ? "L" : "M"}${rounded(positions[i] * 100)} ${heightOf(value, most)}`)
    .join("");
}

/** How far below the top a value stands, in hundredths. */
export const heightOf = (value, most) => rounded(100 - (most ? (value / most) * 100 : 0));

const rounded = (value) => Math.round(value * 100) / 100;
