/** Copying text to the clipboard. */

import { tableText } from "./table-text.js";
import { toast } from "./toasts.js";

/**
 * @param {string} text
 * @param {string} done the sentence for the user after it was copied.
 * @returns {Promise<boolean>} whether it was copied; there may be no clipboard.
 */
export async function copyText(text, done) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    toast("The browser does not allow copying.");
    return false;
  }
  toast(done);
  return true;
}

/**
 * The buttons that copy a table, each in the format that its `data-copy` names.
 *
 * @param {(format: string) => TextTable | null} table null if there is none yet.
 */
export function mountTableCopy(table) {
  for (const button of /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("[data-copy]")
  )) {
    button.addEventListener("click", () => {
      const format = /** @type {string} */ (button.dataset.copy);
      const found = table(format);
      if (!found) return;
      copyText(tableText(format, found), `The table was copied as ${button.textContent}.`);
    });
  }
}
