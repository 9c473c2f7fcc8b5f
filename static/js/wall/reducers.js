/** The state of the wall, and how each message and each choice changes it. Pure functions. */

import { PAGE_RUNS } from "../run-lists/pages.js";
import { oneOf } from "../state/url-state.js";
import { orderOf, rangeOf } from "./order.js";

/** @type {WallState} */
export const INITIAL_STATE = {
  runs: null,
  asked: {},
  order: [],
  range: [0, 5],
  shown: PAGE_RUNS,
  viewers: null,
  connection: { status: "connecting", retryInS: null, silentS: null, reason: null, heardAt: null },
  sort: "newest",
  filter: "all",
  text: "",
  ...{ cell: "", corpus: "", set: "" },
  size: "medium",
};

/** @param {string} key @returns {UrlParameter} */
const anyText = (key) => ({
  read: (state) => state[key] || null,
  parse: (text) => ({ [key]: text.slice(0, 200) }),
});

/**
 * The parameters of the URL; see state/url-state.js.
 *
 * @type {Record<string, UrlParameter>}
 */
export const PARAMETERS = {
  sort: oneOf("sort", ["newest", "loss", "speed", "name", "state"]),
  state: oneOf("filter", ["all", "active", "paused", "ended"]),
  size: oneOf("size", ["medium", "small", "large"]),
  find: anyText("text"),
  cell: anyText("cell"),
  corpus: anyText("corpus"),
  set: anyText("set"),
};

/** The parts of the state that the parameters set. */
export const VIEW_KEYS = ["sort", "filter", "size", "text", "cell", "corpus", "set"];

/**
 * @param {WallState} state
 * @param {Action} action see HANDLERS.
 */
export function reduce(state, action) {
  const handler = HANDLERS[action.type];
  return handler ? handler(state, action) : state;
}

/** @type {Record<string, (state: WallState, action: any) => WallState>} */
const HANDLERS = {
  message: (state, { message }) => MESSAGE_HANDLERS[message.type]?.(state, message) ?? state,
  connection: (state, { connection }) => ({ ...state, connection }),
  /** A choice of the user: the order follows at once. */
  choose: (state, { values }) => inOrder({ ...state, ...values, shown: PAGE_RUNS }),
  size: (state, { size }) => ({ ...state, size }),
  more: (state) => ({ ...state, shown: state.shown + PAGE_RUNS }),
  /** Put the cards in the order of the runs as they are now. */
  resort: (state) => inOrder(state),
  /** The curves of these runs are asked for. */
  ask(state, { ids }) {
    const now = ids.map((/** @type {string} */ id) => [id, []]);
    return { ...state, asked: { ...state.asked, ...Object.fromEntries(now) } };
  },
  /** They are there, or, if they are not among `details`, can be asked for again. */
  details: (state, { ids, details }) => {
    const asked = { ...state.asked };
    const runs = { ...state.runs };
    for (const { id, text, curve } of details) {
      // Not asked for since the last snapshot: it may be older.
      if (!runs[id] || !asked[id]) continue;
      // What has arrived meanwhile may be in the curve already; adding it again changes nothing.
      runs[id] = asked[id].reduce(progressed, { ...runs[id], text, curve });
    }
    for (const id of ids) delete asked[id];
    return withRange({ ...state, runs, asked });
  },
};

/** @type {Record<string, (state: WallState, message: any) => WallState>} */
const MESSAGE_HANDLERS = {
  snapshot: (state, { runs, viewers }) =>
    inOrder({ ...state, viewers, asked: {}, runs: Object.fromEntries(runs.map(withId)) }),
  /** The cards keep their places; see `resort`. */
  update: (state, { runs, progress, removed }) => {
    if (!state.runs) return state;
    const now = { ...state.runs };
    const asked = { ...state.asked };
    for (const each of runs) {
      const { text = null, curve = null } = now[each.id] ?? {};
      now[each.id] = each.curve ? each : { ...each, text, curve };
    }
    for (const each of progress) {
      const { id } = each;
      if (now[id]) now[id] = progressed(now[id], each);
      if (asked[id]) asked[id] = [...asked[id], each];
    }
    for (const id of removed) if (now[id]) now[id] = { ...now[id], removed: true };
    return { ...state, runs: now, asked };
  },
  viewers: (state, { viewers }) => ({ ...state, viewers }),
};

const withId = (/** @type {WallRun} */ run) => [run.id, run];

/** @param {WallRun} run @param {WallProgress} progress @returns {WallRun} */
function progressed(run, { curve, text, ...figures }) {
  return { ...run, ...figures, text: text ?? run.text, curve: curve && joined(run.curve, curve) };
}

/**
 * A curve with a new end; null if what is before the end is not known.
 *
 * @param {WallCurve | null} curve
 * @param {WallCurve} end
 * @returns {WallCurve | null}
 */
function joined(curve, end) {
  const { bucket, start } = end;
  if (start > (curve?.smooth.length ?? 0)) return null;
  const join = (/** @type {"smooth" | "low" | "high"} */ name) =>
    [...(curve?.[name].slice(0, start) ?? []), ...end[name]];
  return { bucket, start: 0, smooth: join("smooth"), low: join("low"), high: join("high") };
}

/** @param {WallState} state @returns {WallState} */
function inOrder(state) {
  const all = Object.entries(state.runs ?? {});
  const kept = all.filter(([, { removed }]) => !removed);
  const runs = kept.length < all.length ? Object.fromEntries(kept) : state.runs;
  const order = orderOf({ ...state, runs });
  return withRange({ ...state, runs, order: isSame(order, state.order) ? state.order : order });
}

/** @param {WallState} state @returns {WallState} */
function withRange(state) {
  const runs = state.runs ?? {};
  const range = rangeOf(state.order.flatMap((id) => runs[id] ?? []));
  return isSame(range, state.range) ? state : { ...state, range };
}

/** Whether the cards are not in the order of the runs as they are now. @param {WallState} state */
export const isUnsorted = (state) => !isSame(orderOf(state), state.order);

/** @param {any[]} one @param {any[]} other */
const isSame = (one, other) =>
  one.length === other.length && one.every((value, i) => value === other[i]);
