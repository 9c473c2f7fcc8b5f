/** A hurrah in words. */

import * as format from "../lib/format.js";

const LISTED = 3;

/** ["Orla", "Vane"] -> "Orla and Vane"; of many, the first and how many more. */
export function listed(words) {
  if (words.length > LISTED) {
    return `${words.slice(0, LISTED - 1).join(", ")} and ${words.length - LISTED + 1} more`;
  }
  return words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
}

/** "hurrah - Orla, update 9,000". */
export const hurrahLabel = (words, update) =>
  `hurrah - ${listed(words)}, update ${format.count(update)}`;
