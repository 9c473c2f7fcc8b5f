/**
 * The view as the parameters of the URL, so that a copied link opens the same view.
 *
 * Each parameter has two functions: `read` gives its text for a state, or null if the URL omits it;
 * `parse` gives the part of the state that a text sets, or null for an invalid text. A new choice
 * in the view needs one new row here and nothing else.
 */

import { readable } from "../net/query.js";
import { X_AXES, LOSS_UNITS } from "../curve/axes.js";
import { passageFromParams, setPassageParams } from "./passage-link.js";
import { SEED_BANDS } from "../curve/seed-band.js";
import { SMOOTHINGS } from "../curve/smoothing.js";

const DEBOUNCE_MS = 250; // browsers limit how often a page may change its URL

/**
 * A parameter for a value of `state[key]` out of a list; the first one is the default and omitted.
 *
 * @param {string} key
 * @param {(string | null)[]} values
 * @returns {UrlParameter}
 */
export const oneOf = (key, values) => ({
  read: (state) => (state[key] === values[0] ? null : state[key]),
  parse: (text) => (values.includes(text) ? { [key]: text } : null),
});

/** @type {Record<string, UrlParameter>} */
const PARAMETERS = {
  run: { read: ({ runId }) => runId, parse: (text) => (text ? { runId: text } : null) },
  scale: oneOf("scale", [null, "linear", "log"]),
  x: oneOf("xAxis", X_AXES),
  y: oneOf("unit", LOSS_UNITS),
  yscale: oneOf("lossScale", ["linear", "log"]),
  smoothing: oneOf("smoothing", SMOOTHINGS),
  seeds: oneOf("seeds", SEED_BANDS),
  /** The updates in view, "1200-5000". */
  range: {
    read: ({ range }) => range && range.map(Math.round).join("-"),
    parse(text) {
      const [from, to] = text.split("-").map(Number);
      return from >= 0 && to > from ? { range: [from, to] } : null;
    },
  },
  /** The pinned update. */
  at: {
    read: ({ pinned }) => (pinned === null ? null : String(pinned)),
    parse: (text) => (/^\d{1,12}$/.test(text) ? { pinned: Number(text) } : null),
  },
  /** The text of a past update; a sample opened as it was written opens that way again. */
  text: {
    read: ({ textMode, asWritten }) => (textMode === "replay" && !asWritten ? "replay" : null),
    parse: oneOf("textMode", ["written", "replay"]).parse,
  },
  tab: oneOf("sideTab", ["writing", "reading"]),
  chart: oneOf("curveTab", ["time", "position"]),
  metrics: {
    read: ({ metricsShown }) => (metricsShown ? "shown" : null),
    parse: (text) => (text === "shown" ? { metricsShown: true } : null),
  },
  /** The settings in the form for a new run. The form reads them itself, see spec/spec-link.js. */
  new: { read: ({ newRun }) => newRun, parse: () => null },
  vary: { read: ({ vary }) => vary, parse: () => null },
};

/**
 * The part of the state that a URL sets.
 *
 * @param {string} search the URL from the question mark on.
 * @returns {any}
 */
export function stateFromUrl(search, parameters = PARAMETERS) {
  const params = new URLSearchParams(search);
  const parts = Object.entries(parameters).map(([name, { parse }]) => {
    const text = params.get(name);
    return text === null ? null : parse(text);
  });
  const passage = passageFromParams(params);
  return Object.assign({}, ...parts, passage && { passage });
}

/**
 * The part of the state that a URL sets while the page is open: what the URL omits gets the value
 * of `initial`, and a value that is equal to the current one stays the same object.
 *
 * @param {string} search the URL from the question mark on.
 * @param {Record<string, UrlParameter>} parameters
 * @param {string[]} keys those parts of the state that the parameters set.
 * @param {any} initial
 * @param {any} current
 * @returns {any}
 */
export function changedView(search, parameters, keys, initial, current) {
  const view = stateFromUrl(search, parameters);
  return Object.fromEntries(
    keys.map((key) => {
      const value = key in view ? view[key] : initial[key];
      const same = JSON.stringify(value) === JSON.stringify(current[key]);
      return [key, same ? current[key] : value];
    }),
  );
}

/**
 * The URL of a state, from the question mark on; the path if there are no parameters.
 *
 * @param {any} state
 */
export function urlOf(state, parameters = PARAMETERS) {
  const params = new URLSearchParams();
  for (const [name, { read }] of Object.entries(parameters)) {
    const text = read(state);
    if (text !== null && text !== undefined) params.set(name, text);
  }
  setPassageParams(params, state.passage); // several parameters
  const search = readable(params);
  return search ? `?${search}` : location.pathname;
}

/**
 * Update the URL when the view changes. Another run becomes another entry in the browser's history,
 * see current-run.js.
 *
 * @param {Store<any>} store
 */
export function mountUrlState(store, parameters = PARAMETERS) {
  /** @type {ReturnType<typeof setTimeout> | null} */
  let timer = null;
  const follow = () => {
    timer = null;
    const url = urlOf(store.get(), parameters);
    if (url !== location.search) history.replaceState(null, "", url + location.hash);
  };
  store.watch(
    (state) => [state.passage, ...Object.values(parameters).map(({ read }) => read(state))],
    () => {
      timer ??= setTimeout(follow, DEBOUNCE_MS);
    },
  );
}
