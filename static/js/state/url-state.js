/**
 * What is in view, told by the page's address, so that a copied link opens the same view.
 *
 * Each parameter says how it stands in the state: `read` gives its text, or null where the address
 * need not tell it; `parse` makes of a text the part of the state that it means, or null of nonsense.
 * Whatever else can be chosen in the view gets a row here, and needs nothing else.
 */

import { X_AXES, LOSS_UNITS } from "../curve/axes.js";
import { passageFromParams, setPassageParams } from "./passage-link.js";
import { SMOOTHINGS } from "../curve/smoothing.js";

const REST_MS = 250; // browsers take no more than some hundred changes of an address in half a minute

/** A parameter that names one of a few values of `state[key]`, the first being what goes unsaid. */
export const oneOf = (key, values) => ({
  read: (state) => (state[key] === values[0] ? null : state[key]),
  parse: (text) => (values.includes(text) ? { [key]: text } : null),
});

const PARAMETERS = {
  run: { read: ({ runId }) => runId, parse: (text) => (text ? { runId: text } : null) },
  scale: oneOf("scale", [null, "linear", "log"]),
  x: oneOf("xAxis", X_AXES),
  y: oneOf("unit", LOSS_UNITS),
  yscale: oneOf("lossScale", ["linear", "log"]),
  smoothing: oneOf("smoothing", SMOOTHINGS),
  /** The updates in view, "1200-5000". */
  range: {
    read: ({ range }) => range && range.map(Math.round).join("-"),
    parse(text) {
      const [from, to] = text.split("-").map(Number);
      return from >= 0 && to > from ? { range: [from, to] } : null;
    },
  },
  /** The update that the timeline stays with. */
  at: {
    read: ({ pinned }) => (pinned === null ? null : String(pinned)),
    parse: (text) => (/^\d{1,12}$/.test(text) ? { pinned: Number(text) } : null),
  },
  /** Which text of a past update; one that was opened as it was written opens so again. */
  text: {
    read: ({ textMode, asWritten }) => (textMode === "written" || asWritten ? "written" : null),
    parse: oneOf("textMode", ["replay", "written"]).parse,
  },
  tab: oneOf("sideTab", ["writing", "reading"]),
  /** Of the curve card: the loss over time, or by page. */
  chart: oneOf("curveTab", ["time", "position"]),
};

/** The part of the state that the address means; what it leaves out is left out. */
export function stateFromUrl(search, parameters = PARAMETERS) {
  const params = new URLSearchParams(search);
  const parts = Object.entries(parameters).map(([name, { parse }]) =>
    params.has(name) ? parse(params.get(name)) : null,
  );
  const passage = passageFromParams(params);
  return Object.assign({}, ...parts, passage && { passage });
}

/** The address of what `state` shows, as the part from the question mark on. */
export function urlOf(state, parameters = PARAMETERS) {
  const params = new URLSearchParams();
  for (const [name, { read }] of Object.entries(parameters)) {
    const text = read(state);
    if (text !== null && text !== undefined) params.set(name, text);
  }
  setPassageParams(params, state.passage); // which takes several parameters at once
  const search = params.toString();
  return search ? `?${search}` : location.pathname;
}

/** Let the address follow the view; another run is another entry in the browser's history. */
export function mountUrlState(store, parameters = PARAMETERS) {
  let timer = null;
  const follow = () => {
    timer = null;
    const address = urlOf(store.get(), parameters);
    if (address !== location.search) history.replaceState(null, "", address);
  };
  store.watch(
    (state) => [state.passage, ...Object.values(parameters).map(({ read }) => read(state))],
    () => {
      timer ??= setTimeout(follow, REST_MS);
    },
  );
}
