/** Where the points of a small curve stand. */

/**
 * Shares of a width, 0 to 1, for ascending updates: even, or by their logarithm.
 *
 * @param {number[]} updates
 * @param {boolean} log
 * @returns {number[]}
 */
export function placesOf(updates, log) {
  const place = log ? (update) => Math.log10(Math.max(update, 0.5)) : (update) => update;
  const first = place(updates[0] ?? 0);
  const span = place(updates.at(-1) ?? 0) - first;
  return updates.map((update) => (span ? (place(update) - first) / span : 1));
}

/** The index of the place nearest to `share`, the later of two. */
export function nearestPlace(places, share) {
  let nearest = 0;
  places.forEach((place, i) => {
    if (Math.abs(place - share) <= Math.abs(places[nearest] - share)) nearest = i;
  });
  return nearest;
}

/**
 * A line through the values as an SVG path in a box of 100 by 100, the greatest at its top.
 *
 * @param {number[]} values at least 0.
 * @param {number[]} places as of `placesOf`.
 * @param {number} most the value that stands at the top.
 */
export function pathOf(values, places, most) {
  return values
    .map((value, i) => `${i ? "L" : "M"}${rounded(places[i] * 100)} ${heightOf(value, most)}`)
    .join("");
}

/** How far below the top a value stands, in hundredths. */
export const heightOf = (value, most) => rounded(100 - (most ? (value / most) * 100 : 0));

const rounded = (value) => Math.round(value * 100) / 100;
