/** The network of a run in a size whose every entry can be checked. Pure functions. */

import { LIMITS } from "../lib/limits.js";

const MOST = { hidden_size: 128, sequence_length: 100, batch_size: 50 };
const LEAST_LENGTH = 10;
const LEAST_HIDDEN = 5;
const SHARE_OF_WORK = 0.25; // a check by hand takes up to half a minute, this one some seconds

/**
 * The sizes of a run, reduced until they can be checked: first the batch, then the sequences, then
 * the hidden units, then the layers.
 *
 * @param {RunSpec} spec
 * @param {string} text the beginning of the run's text.
 * @param {(sizes: any, distinct: number) => number} parameterCount
 * @returns {{sizes: Record<string, any>, text: string, reduced: boolean}} `text` is as long as the
 *   check needs.
 */
export function checkableSizes(spec, text, parameterCount) {
  const characters = Array.from(text);
  const own = {
    cell: spec.cell,
    layers: spec.layers,
    hidden_size: spec.hidden_size,
    sequence_length: spec.sequence_length,
    batch_size: spec.batch_size,
  };
  const sizes = { ...own };
  for (const [name, most] of Object.entries(MOST)) sizes[name] = Math.min(sizes[name], most);
  const excerpt = () => characters.slice(0, (sizes.sequence_length + 1) * sizes.batch_size);
  const tooLarge = () => {
    const read = sizes.sequence_length * sizes.batch_size;
    const parameters = parameterCount(sizes, new Set(excerpt()).size);
    return (
      read > LIMITS.check_characters ||
      parameters > LIMITS.check_parameters ||
      parameters ** 2 * read > LIMITS.check_work * SHARE_OF_WORK
    );
  };
  const halve = (/** @type {number} */ value, least = 1) => Math.max(Math.ceil(value / 2), least);
  while (tooLarge()) {
    const { batch_size: batch, sequence_length: length, hidden_size: hidden } = sizes;
    if (batch > 1) sizes.batch_size = halve(batch);
    else if (length > LEAST_LENGTH) sizes.sequence_length = halve(length, LEAST_LENGTH);
    else if (hidden > LEAST_HIDDEN) sizes.hidden_size = halve(hidden, LEAST_HIDDEN);
    else if (sizes.layers > 1) sizes.layers -= 1;
    else break;
  }
  const reduced = Object.keys(own).some((name) => own[name] !== sizes[name]);
  return { sizes, text: excerpt().join(""), reduced };
}
