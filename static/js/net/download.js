/** Saves what the page has made as a file. */

import { el } from "../lib/dom.js";

/**
 * @param {Blob} blob
 * @param {string} name
 */
export function download(blob, name) {
  const href = URL.createObjectURL(blob);
  const link = el("a", { href, download: name });
  link.click();
  // The browser reads the URL after the click; a minute is more than enough.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
