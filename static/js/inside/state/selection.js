/** The character of the probe that is looked at, and sentences about it. */

import * as format from "../../lib/format.js";

/**
 * The index of the character that is looked at: the one below the pointer, the selected one, or the
 * last; null without a probe.
 *
 * @param {InsideState} state
 */
export const lookedAt = ({ probe, hovered, position }) => {
  if (!probe) return null;
  const last = probe.characters.length - 1;
  return Math.min(hovered ?? position ?? last, last);
};

/**
 * "Probability 12%, surprisal 3.02 bits."
 *
 * @param {Probe} probe
 * @param {number} index
 */
export function aboutCharacter({ characters, surprisal, unknown }, index) {
  const bits = surprisal[index];
  if (bits !== null) {
    return `Probability ${format.probability(2 ** -bits)}, surprisal ${format.fine(bits)} bits.`;
  }
  if (unknown.includes(index)) return "Unknown to the network, which skips it.";
  return surprisal.some((other) => other !== null) || characters.length === 1 + unknown.length
    ? "Not predicted: nothing comes before it."
    : "The probability is not a finite number: the network has diverged.";
}

/** "character 57 of 318" @param {Probe} probe @param {number} index */
export const placeOf = ({ characters }, index) =>
  `character ${format.count(index + 1)} of ${format.count(characters.length)}`;
