/**
 * What is in view, told by the page's address, so that a copied link opens the same view.
 *
 * Each parameter says how it stands in the state: `read` gives its text, or null where the address
 * need not tell it; `parse` makes of a text the part of the state that it means, or null of nonsense.
 * Whatever else can be chosen in the view gets a row here, and needs nothing else.
 */

import { ACROSS, UNITS } from "../curve/axes.js";
import { readPassage, sayPassage } from "./passage-link.js";
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
  x: oneOf("across", ACROSS),
  y: oneOf("unit", UNITS),
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
  dice: {
    read: ({ dice, asWritten }) => (dice === "written" || asWritten ? "written" : null),
    parse: oneOf("dice", ["same", "written"]).parse,
  },
  card: oneOf("card", ["writing", "reading"]),
  /** Of the curve card: the loss over time, or by page. */
  face: oneOf("face", ["curve", "pages"]),
};

/** The part of the state that the address means; what it leaves out is left out. */
export function readAddress(search, parameters = PARAMETERS) {
  const asked = new URLSearchParams(search);
  const parts = Object.entries(parameters).map(([name, { parse }]) =>
    asked.has(name) ? parse(asked.get(name)) : null,
  );
  const passage = readPassage(asked);
  return Object.assign({}, ...parts, passage && { passage });
}

/** The address of what `state` shows, as the part from the question mark on. */
export function addressOf(state, parameters = PARAMETERS) {
  const said = new URLSearchParams();
  for (const [name, { read }] of Object.entries(parameters)) {
    const text = read(state);
    if (text !== null && text !== undefined) said.set(name, text);
  }
  sayPassage(said, state.passage); // which takes several parameters at once
  const search = said.toString();
  return search ? `?${search}` : location.pathname;
}

/** Let the address follow the view; another run is another entry in the browser's history. */
export function mountAddress(store, parameters = PARAMETERS) {
  let timer = null;
  const follow = () => {
    timer = null;
    const address = addressOf(store.get(), parameters);
    if (address !== location.search) history.replaceState(null, "", address);
  };
  store.watch(
    (state) => [state.passage, ...Object.values(parameters).map(({ read }) => read(state))],
    () => {
      timer ??= setTimeout(follow, REST_MS);
    },
  );
}
