/** The limits of the server's requests; see `server/web/page_limits.py`. */

import { find } from "./dom.js";

/** @type {Record<string, number>} */
export const LIMITS = JSON.parse(find("#limits").textContent);
