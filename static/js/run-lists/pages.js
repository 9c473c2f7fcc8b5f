/** A long list is shown a page at a time, with a button for the next. */

import { el } from "../lib/dom.js";
import * as format from "../lib/format.js";

/** How many runs a list shows at first, and how many more each time. */
export const PAGE_RUNS = 100;

/** A list with fewer runs needs no search. */
export const LEAST_SEARCHED = 12;

/**
 * The last row of a list that is longer than what it shows.
 *
 * @param {number} shown
 * @param {number} total
 * @param {() => void} showMore
 */
export function moreRow(shown, total, showMore) {
  const more = Math.min(PAGE_RUNS, total - shown);
  const text = `Show ${format.count(more)} more of ${format.count(total)}`;
  return el(
    "li",
    { class: "run-more" },
    el("button", { type: "button", class: "button button-small", text, on: { click: showMore } }),
  );
}
