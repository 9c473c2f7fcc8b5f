/** A hurrah in words. */

import * as format from "../lib/format.js";

/** "hurrah - Orla, update 9,000". */
export const hurrahLabel = (words, update) =>
  `hurrah - ${format.joinWords(words)}, update ${format.count(update)}`;
