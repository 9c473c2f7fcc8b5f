/** The buttons of the table: to the columns that do not fit, and the table as text. */

import { tableToCopy } from "./columns.js";
import { find, reducedMotion, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { download } from "../net/download.js";
import { mountTableCopy } from "../ui/copy.js";
import { tableText } from "../ui/table-text.js";

const ROUNDING_PX = 1;

/** The button that scrolls the table to the columns that do not fit, and back. */
export function mountMoreColumns() {
  const host = find("#compare-table");
  const head = find("#compare-head");
  const button = find("#compare-more");

  /** The columns that are cut off or hidden at the end. */
  const beyond = () => {
    const end = host.getBoundingClientRect().right + ROUNDING_PX;
    // As cards, the table has nothing to scroll.
    const scrolls = host.scrollWidth > host.clientWidth + ROUNDING_PX;
    return scrolls ? [...head.children].filter((th) => th.getBoundingClientRect().right > end) : [];
  };

  function show() {
    const count = beyond().length;
    button.hidden = !count && host.scrollLeft <= ROUNDING_PX;
    const more = `${format.plural(count, "more column", "more columns")} →`;
    setText(button, count ? more : "← first columns");
  }

  button.addEventListener("click", () => {
    const page = host.clientWidth - (head.firstElementChild?.getBoundingClientRect().width ?? 0);
    const left = beyond().length ? host.scrollLeft + page : 0;
    host.scrollTo({ left, behavior: reducedMotion.matches ? "auto" : "smooth" });
  });
  host.addEventListener("scroll", show, { passive: true });
  const sizes = new ResizeObserver(show);
  sizes.observe(host);
  sizes.observe(find("table", host));
}

/**
 * The buttons that copy the table, and the one that saves it as a file.
 *
 * @param {CompareStore} store
 */
export function mountTableText(store) {
  mountTableCopy((textFormat) => tableToCopy(store.get(), textFormat));
  find("#compare-download").addEventListener("click", () => {
    const text = tableText("csv", tableToCopy(store.get(), "csv"));
    download(new Blob([text], { type: "text/csv" }), "hurrah-comparison.csv");
  });
}
