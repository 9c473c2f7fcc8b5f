/** The link back from other pages to the run that was watched in this window. */

import { rooted } from "../lib/dom.js";

const KEY = "hurrah-watched";

/** Store which run is in view, until the window is closed. */
export function rememberRun(id) {
  try {
    if (id) sessionStorage.setItem(KEY, id);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage may be blocked; the link then leads to the newest run.
  }
}

/** Make the links to the watch page lead to that run. */
export function mountBackLink() {
  const id = rememberedRun();
  if (!id) return;
  for (const link of document.querySelectorAll(`a[href="${rooted("/")}"]`)) {
    link.setAttribute("href", rooted(`/?run=${encodeURIComponent(id)}`));
  }
}

function rememberedRun() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
