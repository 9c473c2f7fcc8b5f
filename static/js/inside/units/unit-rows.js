/** The rows of the list of units: filtered and sorted. Pure functions. */

/** @typedef {{ by: "unit" | "feature" | "correlation", descending: boolean }} UnitSort */

/** @type {Record<UnitSort["by"], (unit: FollowedFeature) => number | string | null>} */
const KEYS = {
  unit: () => null,
  feature: ({ feature }) => feature,
  correlation: ({ correlation }) => (correlation === null ? null : Math.abs(correlation)),
};

/**
 * The units of a layer whose number or feature a text names, in order. Units that follow no feature
 * come last, unless the list is in the order of the units.
 *
 * @param {FollowedFeature[]} units
 * @param {{ text: string, layer: number | null, sort: UnitSort }} options layer null: all.
 */
export function rowsOf(units, { text, layer, sort }) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  const rows = units.filter(
    (unit) =>
      (layer === null || unit.layer === layer) && words.every((word) => isNamed(unit, word)),
  );
  const key = KEYS[sort.by];
  const sign = sort.descending ? -1 : 1;
  return rows.sort((a, b) => {
    const [x, y] = [key(a), key(b)];
    if ((x === null) !== (y === null)) return x === null ? 1 : -1;
    if (x !== null && y !== null && x !== y) return x < y ? -sign : sign;
    const order = a.layer - b.layer || a.unit - b.unit;
    return sort.by === "unit" ? sign * order : order;
  });
}

/** A number is that of the unit; a word is in the feature's name. */
function isNamed(/** @type {FollowedFeature} */ { unit, feature }, /** @type {string} */ word) {
  return String(unit) === word || (feature ?? "no feature").toLowerCase().includes(word);
}

/** The order after a click on a column: r starts with the greatest. @param {UnitSort} sort */
export const sortedBy = (sort, /** @type {UnitSort["by"]} */ by) => ({
  by,
  descending: sort.by === by ? !sort.descending : by === "correlation",
});

/** "39", or with several layers "2 · 39". */
export const unitName = (
  /** @type {{layer: number, unit: number}} */ { layer, unit },
  /** @type {number} */ layers,
) => (layers > 1 ? `${layer + 1} · ${unit}` : String(unit));
