/** The page that writes without a server; `server/standalone/page.py` puts this script into it. */

import { find } from "./lib/dom.js";
import { startPage } from "./standalone/page.js";
import { readSafetensors } from "./standalone/safetensors.js";

const status = find("#status");
try {
  startPage(readSafetensors(find("#model").textContent));
} catch (error) {
  status.classList.remove("visually-hidden");
  status.textContent = "This file is incomplete: please get it again.";
  throw error;
}
