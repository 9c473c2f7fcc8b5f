/** The state of the page that compares runs, and what each deed makes of it. Pure functions all. */

import { oneOf } from "../state/url-state.js";
import { append, curveOf, splice } from "../curve/loss-curve.js";
import { keepCheckpoints } from "../state/reducers.js";
import { lowest, note, validationOf } from "../curve/validation-loss.js";
import { LIMIT_CHOSEN } from "./series-styles.js";

/** The state of a page that has just been opened. */
export const initialState = ({ operator }) => ({
  operator,
  listed: null, // all runs that the server has, newest first
  runs: null, // but for those that are being deleted
  leaving: [],
  chosen: [], // ids, in the order of choosing
  places: {}, // id -> which of the looks; kept for as long as it is chosen
  seen: {}, // id -> what is known live of a chosen run
  connections: {}, // id -> {status, retryInS}
  details: {}, // id -> finer points of the stretch in view
  x: "updates",
  y: "character",
  scale: "linear",
  range: null, // in what x is; up to Infinity where it follows the live end
  goal: null, // the reader's own, in nats a character
  suggested: null,
  reached: {}, // id -> {goal, update, seconds}
  sort: null, // {by, descending}
});

/** What of it the address tells; see state/url-state.js. */
export const PARAMETERS = {
  runs: {
    read: (state) => visibleIds(state).join(",") || null,
    parse(text) {
      const ids = text.split(",").filter((id) => /^[\w-]{1,64}$/.test(id));
      return ids.length ? { chosen: [...new Set(ids)].slice(0, LIMIT_CHOSEN) } : null;
    },
  },
  x: oneOf("x", ["updates", "epochs", "seconds"]),
  y: oneOf("y", ["character", "bits", "sequence"]),
  scale: oneOf("scale", ["linear", "log"]),
  range: {
    read: ({ range }) => range && range.map(endInWords).join("-"),
    parse(text) {
      const [from, to = NaN] = text.split("-").map((end) => (end ? Number(end) : Infinity));
      return from >= 0 && to > from ? { range: [from, to] } : null;
    },
  },
  below: {
    read: ({ goal }) => goal && String(Number(goal.toPrecision(6))),
    parse: (text) => (Number(text) > 0 && Number(text) < 1e6 ? { goal: Number(text) } : null),
  },
  sort: {
    read: ({ sort }) => sort && `${sort.descending ? "-" : ""}${sort.by}`,
    parse(text) {
      const by = text.replace(/^-/, "");
      return /^\w{1,40}$/.test(by) ? { sort: { by, descending: text.startsWith("-") } } : null;
    },
  },
};

/** "5000-" goes on from there to the live end. */
const endInWords = (end) => (end === Infinity ? "" : String(Number(end.toPrecision(6))));

/** The ids of the chosen runs, but for those that are being deleted. */
export const visibleIds = ({ chosen, leaving }) => chosen.filter((id) => !leaving.includes(id));

/** The runs in view of which something is known, each with its place. */
export const visible = (state) =>
  visibleIds(state)
    .filter((id) => state.seen[id])
    .map((id) => ({ id, place: state.places[id], ...state.seen[id] }));

/**
 * What to choose where the address names no runs: one that was being watched, its trunk and its
 * branches, and others that have begun, those on the same text first.
 *
 * @param {Object[]} runs newest first.
 * @param {string | null} watched an id.
 * @param {number} most
 */
export function firstChoice(runs, watched, most) {
  const first = runs.find(({ id }) => id === watched) ?? runs.find(({ update }) => update > 0);
  if (!first) return [];
  const kin = ({ id, forked_from: from }) =>
    from?.run === first.id || [id, from?.run].includes(first.forked_from?.run ?? NaN);
  const begun = runs.filter(({ update }) => update > 0);
  const alike = begun.filter(({ corpus }) => corpus === first.corpus);
  const ids = [first, ...begun.filter(kin), ...alike, ...begun].map(({ id }) => id);
  return [...new Set(ids)].slice(0, most);
}

/** The loss to be reached, in nats a character; null while nothing suggests one. */
export const goalOf = ({ goal, suggested }) => goal ?? suggested;

/** How many of a unit a nat a sequence of this run is. */
export function unitsPerNat(unit, { spec: { sequence_length: characters } }) {
  return { sequence: 1, character: 1 / characters, bits: 1 / characters / Math.LN2 }[unit];
}

export const UNITS = {
  character: "nats a character",
  bits: "bits a character",
  sequence: "nats a sequence",
};

/**
 * @param {Object} state
 * @param {Object} action see ACTIONS.
 */
export function reduce(state, action) {
  const handler = ACTIONS[action.type];
  return handler ? handler(state, action) : state;
}

const ACTIONS = {
  runs: (state, { runs }) => withoutLeaving({ ...state, listed: runs }),
  leaving: (state, { leaving }) => withoutLeaving({ ...state, leaving }),
  /** What the address asks to see. */
  look: (state, { view }) => choose({ ...state, ...view }, view.chosen ?? []),

  choose: (state, { ids }) => choose(state, ids),
  toggle(state, { id }) {
    const { chosen } = state;
    const others = chosen.filter((other) => other !== id);
    return choose(state, chosen.includes(id) ? others : [...chosen, id]);
  },
  /** A run that is not there (any more). */
  gone: (state, { id }) => choose(state, state.chosen.filter((other) => other !== id)),

  connection: (state, { id, connection }) =>
    state.chosen.includes(id)
      ? { ...state, connections: { ...state.connections, [id]: connection } }
      : state,
  message: (state, { id, message }) => receive(state, id, message),
  /** A run as an answer to a request named it. */
  run(state, { run }) {
    const known = state.seen[run.id];
    return known ? { ...state, seen: { ...state.seen, [run.id]: { ...known, run } } } : state;
  },
  refined: (state, { runId, losses }) =>
    known(state, runId, (seen) => ({
      ...seen,
      curve: losses.reduce(splice, seen.curve),
      refining: false,
    })),

  x: (state, { x }) => ({ ...state, x, range: null, details: {} }),
  y: (state, { y }) => ({ ...state, y }),
  scale: (state, { scale }) => ({ ...state, scale, range: null, details: {} }),
  zoom: (state, { range }) => ({ ...state, range, details: range ? state.details : {} }),
  detail: (state, { id, detail }) =>
    state.range ? { ...state, details: { ...state.details, [id]: detail } } : state,

  goal: (state, { goal }) => ({ ...state, goal }),
  suggest: (state, { goal }) => ({ ...state, suggested: goal }),
  reached: (state, { id, reached }) => ({
    ...state,
    reached: { ...state.reached, [id]: reached },
  }),
  sort: (state, { sort }) => ({ ...state, sort }),
};

function withoutLeaving(state) {
  const runs = state.listed && state.listed.filter(({ id }) => !state.leaving.includes(id));
  return { ...state, runs };
}

/** Have these runs chosen; those that were already keep their places. */
function choose(state, ids) {
  const chosen = ids.slice(0, LIMIT_CHOSEN);
  const only = (things) =>
    Object.fromEntries(chosen.filter((id) => id in things).map((id) => [id, things[id]]));
  const places = only(state.places);
  for (const id of chosen) {
    const taken = Object.values(places);
    places[id] ??= [...Array(LIMIT_CHOSEN).keys()].find((place) => !taken.includes(place));
  }
  return {
    ...state,
    chosen,
    places,
    seen: only(state.seen),
    connections: only(state.connections),
    details: only(state.details),
    reached: only(state.reached),
  };
}

function known(state, id, change) {
  const seen = state.seen[id];
  return seen ? { ...state, seen: { ...state.seen, [id]: change(seen) } } : state;
}

function receive(state, id, message) {
  if (!state.chosen.includes(id)) return state;
  if (message.type === "snapshot") {
    const { [id]: _, ...reached } = state.reached;
    return { ...state, seen: { ...state.seen, [id]: seenOf(message) }, reached };
  }
  const handler = MESSAGES[message.type];
  return handler ? known(state, id, (seen) => handler(seen, message)) : state;
}

const seenOf = (snapshot) => ({
  run: snapshot.run_state,
  curve: curveOf(snapshot.loss),
  refining: snapshot.loss.bucket > 1,
  lowest: lowest(validationOf(snapshot.loss.validation)),
  validation: validationOf(snapshot.loss.validation),
  checkpoints: keepCheckpoints(snapshot.checkpoints),
});

const MESSAGES = {
  progress(seen, { update, epoch, loss, smooth_loss, best, updates_per_second, curve }) {
    const moved = { update, epoch, loss, smooth_loss, best, updates_per_second };
    return { ...seen, run: { ...seen.run, ...moved }, curve: append(seen.curve, curve) };
  },
  sample(seen, { sample }) {
    const validation = note(seen.validation, sample);
    return { ...seen, validation, lowest: lowest(validation) };
  },
  checkpoint(seen, { checkpoint }) {
    const others = seen.checkpoints.filter(({ id }) => id !== checkpoint.id);
    return { ...seen, checkpoints: keepCheckpoints([...others, checkpoint]) };
  },
  checkpoint_deleted: (seen, { checkpoint_id: gone }) => ({
    ...seen,
    checkpoints: seen.checkpoints.filter(({ id }) => id !== gone),
  }),
  state: (seen, { run_state: run }) => ({ ...seen, run }),
};
