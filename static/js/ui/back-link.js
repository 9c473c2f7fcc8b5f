/** The link back to the run in view on this page, or to the one watched in this window. */

import { rooted } from "../lib/dom.js";

const KEY = "hurrah-watched";

/** @type {Element[] | null} the links to the watch page. */
let links = null;

/** Store which run is in view, until the window is closed. */
export function rememberRun(id) {
  try {
    if (id) sessionStorage.setItem(KEY, id);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage may be blocked; the link then leads to the newest run.
  }
}

/**
 * Make the links to the watch page lead to a run.
 *
 * @param {string | null} [inView] the id of the run that this page shows; null: the one that was
 *   watched in this window.
 */
export function linkBack(inView = null) {
  links ??= [...document.querySelectorAll(`a[href="${rooted("/")}"]`)];
  const id = inView || rememberedRun();
  const query = id ? `?run=${encodeURIComponent(id)}` : "";
  for (const link of links) link.setAttribute("href", rooted("/") + query);
}

function rememberedRun() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
