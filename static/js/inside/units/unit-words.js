/** How units, characters and activations are named. */

import * as format from "../../lib/format.js";

/** @type {Record<string, string>} */
const NAMES = { " ": "a space", "\n": "a line end", "\t": "a tab" };

/** "Unit 37", or with several layers "Layer 2, unit 37". */
export const unitTitle = (
  /** @type {{layer: number, unit: number}} */ { layer, unit },
  /** @type {number} */ layers,
) => (layers > 1 ? `Layer ${layer + 1}, unit ${unit}` : `Unit ${unit}`);

/** The same within a sentence. @type {typeof unitTitle} */
export const unitWords = (unit, layers) =>
  unitTitle(unit, layers).replace(/^./, (first) => first.toLowerCase());

/** “e”, or "a space". @param {string} character */
export const characterWords = (character) =>
  NAMES[character] ?? `“${format.isolateDirection(character)}”`;

/** A stretch of text in one line. @param {string[]} characters */
export const stretchWords = (characters) =>
  characters.length === 1
    ? characterWords(characters[0])
    : `“${format.isolateDirection(characters.join("").replaceAll("\n", "↵"))}”`;

/** An activation or a correlation: -0.5 -> "−0.50". @param {number} value */
export const signed = (value) =>
  (Object.is(Math.round(value * 100), -0) ? 0 : value).toFixed(2).replace("-", "\u2212");

/** The feature that a unit follows; null if it follows none, or that is not known. */
export const featureOf = (
  /** @type {InsideState} */ { unitList },
  /** @type {{layer: number, unit: number}} */ { layer, unit },
) => unitList?.units[layer * unitList.hidden_size + unit]?.feature ?? null;
