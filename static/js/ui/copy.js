/** Copying text to the clipboard. */

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
