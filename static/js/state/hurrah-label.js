/** A hurrah as text. */

import * as format from "../lib/format.js";

/**
 * "hurrah - Orla, update 9,000".
 *
 * @param {string[]} words
 * @param {number} update
 */
export const hurrahLabel = (words, update) =>
  `hurrah - ${format.joinWords(words)}, update ${format.count(update)}`;
