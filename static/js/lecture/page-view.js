/**
 * What a page shows, as the path and query of its address without the prefix of all addresses, and
 * how another view is shown on it.
 *
 * @typedef {Object} PageView
 * @property {() => string | null} current null while the page does not know it yet.
 * @property {(changed: () => void) => void} watch
 * @property {((search: string) => void) | null} apply shows another view of the same page; null:
 *   the page must be opened again.
 * @property {import("./curve-places.js").CurvePlaces | null} [curve] of a page with the curve.
 */

import { rooted } from "../lib/dom.js";
import { urlOf } from "../state/url-state.js";

const LOOK_EVERY_MS = 100;
// Of a form that only the presenter sees.
const OMITTED = ["new", "vary", "lecture"];

/**
 * The view of a page with a store whose parameters are in the address.
 *
 * @param {Store<any>} store
 * @param {Record<string, UrlParameter> | undefined} parameters undefined: those of the watch page.
 * @param {PageView["apply"]} apply
 * @param {(state: any) => boolean} [known] whether the state has what the address names.
 * @returns {PageView}
 */
export const storeView = (store, parameters, apply, known = () => true) => ({
  current() {
    const state = store.get();
    if (!known(state)) return null;
    const search = urlOf(state, parameters);
    return withoutForms(search.startsWith("?") ? location.pathname + search : search);
  },
  watch: (changed) => store.watch((state) => [urlOf(state, parameters)], changed),
  apply,
});

/** The view of a page that has its state in the address alone. @type {PageView} */
export const addressView = {
  current: () => withoutForms(location.pathname + location.search),
  watch(changed) {
    let seen = location.href;
    setInterval(() => {
      if (seen === location.href) return;
      seen = location.href;
      changed();
    }, LOOK_EVERY_MS);
  },
  apply: null,
};

/** @param {string} address */
function withoutForms(address) {
  const [whole, search = ""] = address.split("?", 2);
  const root = rooted("");
  const path = whole.startsWith(`${root}/`) ? whole.slice(root.length) : whole;
  const kept = search.split("&").filter((each) => each && !OMITTED.includes(each.split("=")[0]));
  return kept.length ? `${path}?${kept.join("&")}` : path;
}
