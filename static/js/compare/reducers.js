/** The state of the comparison page, and how each action changes it. Pure functions. */

import { oneOf } from "../state/url-state.js";
import { append, curveOf, splice } from "../curve/loss-curve.js";
import { keepCheckpoints } from "../state/reducers.js";
import { isOutdated } from "../ui/connection.js";
import { lowestLoss, addSample, validationOf } from "../curve/validation-loss.js";
import { LIMIT_CHOSEN } from "./series-styles.js";

/**
 * The state of a page that was just opened.
 *
 * @param {{operator: boolean, metrics?: MetricName[]}} options
 * @returns {CompareState}
 */
export const initialState = ({ operator, metrics = [] }) => ({
  operator,
  metricNames: metrics,
  allRuns: null,
  runs: null,
  unreachable: false, // the last request for the list of runs had no answer
  pendingDelete: [],
  chosen: [],
  dropped: [],
  slots: {},
  live: {},
  connections: {},
  details: {},
  own: {},
  metric: null,
  metricCurves: {},
  x: "updates",
  y: "character",
  scale: "linear",
  validation: "hidden",
  range: null,
  goal: null,
  suggested: null,
  reached: {},
  sort: null,
});

/**
 * The parameters of the URL; see state/url-state.js.
 *
 * @type {Record<string, UrlParameter>}
 */
export const PARAMETERS = {
  runs: {
    read: (state) => visibleIds(state).join(",") || null,
    parse(text) {
      const ids = text.split(",").filter((id) => /^[\w-]{1,64}$/.test(id));
      return ids.length ? { chosen: [...new Set(ids)] } : null;
    },
  },
  /** The metric that is drawn instead of the loss. */
  metric: {
    read: ({ metric }) => metric,
    parse: (text) => (/^[a-z][a-z0-9_]{0,39}$/.test(text) ? { metric: text } : null),
  },
  x: oneOf("x", ["updates", "epochs", "seconds"]),
  y: oneOf("y", ["character", "bits", "sequence"]),
  scale: oneOf("scale", ["linear", "log"]),
  validation: oneOf("validation", ["hidden", "shown"]),
  range: {
    read: ({ range }) => range && range.map(formatEnd).join("-"),
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

/** "5000-" extends to the live end. @param {number} end */
const formatEnd = (end) => (end === Infinity ? "" : String(Number(end.toPrecision(6))));

/**
 * The ids of the selected runs, without those being deleted.
 *
 * @param {CompareState} state
 */
export const visibleIds = ({ chosen, pendingDelete }) =>
  chosen.filter((id) => !pendingDelete.includes(id));

/**
 * The runs in view for which live data has arrived, with their slots.
 *
 * @param {CompareState} state
 * @returns {ComparedRun[]}
 */
export const visibleRuns = (state) =>
  visibleIds(state)
    .filter((id) => state.live[id])
    .map((id) => ({
      id,
      slot: state.slots[id],
      ...state.live[id],
      outdated: isOutdated({ connection: state.connections[id], run: state.live[id].run }),
    }));

/**
 * Whether the page shows a run, or the list of runs, of which there has been no news.
 *
 * @param {CompareState} state
 */
export const isPageOutdated = (state) =>
  state.unreachable || visibleRuns(state).some(({ outdated }) => outdated);

/**
 * The runs to select if the URL names none: the one that was being watched, its parent and forks,
 * and other runs that have started, those on the same corpus first.
 *
 * @param {Run[]} runs newest first.
 * @param {string | null} watched an id.
 * @param {number} most
 */
export function defaultSelection(runs, watched, most) {
  const first = runs.find(({ id }) => id === watched) ?? runs.find(({ update }) => update > 0);
  if (!first) return [];
  const parent = first.forked_from?.run;
  const isRelated = (/** @type {Run} */ { id, forked_from: from }) =>
    from?.run === first.id || (parent !== undefined && [id, from?.run].includes(parent));
  const begun = runs.filter(({ update }) => update > 0);
  const alike = begun.filter(({ corpus }) => corpus === first.corpus);
  const ids = [first, ...begun.filter(isRelated), ...alike, ...begun].map(({ id }) => id);
  return [...new Set(ids)].slice(0, most);
}

/**
 * The metric in view, with its label and its unit; null for the loss.
 *
 * @param {CompareState} state
 * @returns {MetricName | null}
 */
export const metricInView = ({ metric, metricNames }) =>
  metricNames.find(({ name }) => name === metric) ?? null;

/**
 * The goal in nats per character; null if none is set or suggested.
 *
 * @param {CompareState} state
 */
export const goalOf = ({ goal, suggested }) => goal ?? suggested;

/**
 * The factor from nats per sequence to a unit, for a run.
 *
 * @param {ComparisonUnit} unit
 * @param {Run} run
 */
export function unitsPerNat(unit, { spec: { sequence_length: characters } }) {
  return { sequence: 1, character: 1 / characters, bits: 1 / characters / Math.LN2 }[unit];
}

export const LOSS_UNITS = {
  character: "nats per character",
  bits: "bits per character",
  sequence: "nats per sequence",
};

/**
 * @param {CompareState} state
 * @param {Action} action see ACTION_HANDLERS.
 */
export function reduce(state, action) {
  const handler = ACTION_HANDLERS[action.type];
  return handler ? handler(state, action) : state;
}

/** @type {Record<string, (state: CompareState, action: any) => CompareState>} */
const ACTION_HANDLERS = {
  runs: (state, { runs }) => withoutPending({ ...state, allRuns: runs, unreachable: false }),
  unreachable: (state) => ({ ...state, unreachable: true }),
  pendingDelete: (state, { pendingDelete }) => withoutPending({ ...state, pendingDelete }),
  /** The view that the URL sets. */
  setView: (state, { view }) => choose({ ...state, ...view }, view.chosen ?? []),

  choose: (state, { ids }) => choose(state, ids),
  toggle(state, { id }) {
    const { chosen } = state;
    const others = chosen.filter((other) => other !== id);
    return choose(state, chosen.includes(id) ? others : [...chosen, id]);
  },
  /** A run that was deleted or never existed. */
  gone: (state, { id }) =>
    choose(
      state,
      state.chosen.filter((other) => other !== id),
    ),

  connection: (state, { id, connection }) =>
    state.chosen.includes(id)
      ? { ...state, connections: { ...state.connections, [id]: connection } }
      : state,
  message: (state, { id, message }) => receive(state, id, message),
  /** A run from the answer to a request. */
  run(state, { run }) {
    const known = state.live[run.id];
    return known ? { ...state, live: { ...state.live, [run.id]: { ...known, run } } } : state;
  },
  /** The user's losses that are kept with a run; null for none. */
  ownLosses: (state, { id, curve }) => ({ ...state, own: { ...state.own, [id]: curve } }),
  refined: (state, { runId, losses }) =>
    updateLive(state, runId, (live) => ({
      ...live,
      curve: losses.reduce(splice, live.curve),
      refining: false,
    })),

  /** Draw a metric; null: the loss. */
  metric: (state, { metric }) => ({ ...state, metric, metricCurves: {} }),
  /** The curves of the metric in view, by run. */
  metricCurves: (state, { metric, curves }) =>
    metric === state.metric ? { ...state, metricCurves: curves } : state,

  x: (state, { x }) => ({ ...state, x, range: null, details: {} }),
  y: (state, { y }) => ({ ...state, y }),
  scale: (state, { scale }) => ({ ...state, scale, range: null, details: {} }),
  validation: (state, { validation }) => ({ ...state, validation }),
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

/** @param {CompareState} state */
function withoutPending(state) {
  const runs = state.allRuns && state.allRuns.filter(({ id }) => !state.pendingDelete.includes(id));
  return { ...state, runs };
}

/**
 * Select runs; those already selected keep their slots. The runs beyond the limit are `dropped`.
 *
 * @param {CompareState} state
 * @param {string[]} ids
 * @returns {CompareState}
 */
function choose(state, ids) {
  const chosen = ids.slice(0, LIMIT_CHOSEN);
  /**
   * @template T
   * @param {Record<string, T>} byId
   * @returns {Record<string, T>}
   */
  const only = (byId) =>
    Object.fromEntries(chosen.filter((id) => id in byId).map((id) => [id, byId[id]]));
  const slots = only(state.slots);
  for (const id of chosen) {
    const taken = Object.values(slots);
    slots[id] ??= [...Array(LIMIT_CHOSEN).keys()].findIndex((slot) => !taken.includes(slot));
  }
  return {
    ...state,
    chosen,
    dropped: ids.slice(LIMIT_CHOSEN),
    slots,
    live: only(state.live),
    connections: only(state.connections),
    details: only(state.details),
    reached: only(state.reached),
  };
}

/**
 * @param {CompareState} state
 * @param {string} id
 * @param {(live: LiveRun) => LiveRun} change
 */
function updateLive(state, id, change) {
  const live = state.live[id];
  return live ? { ...state, live: { ...state.live, [id]: change(live) } } : state;
}

/**
 * @param {CompareState} state
 * @param {string} id
 * @param {ServerMessage} message
 * @returns {CompareState}
 */
function receive(state, id, message) {
  if (!state.chosen.includes(id)) return state;
  if (message.type === "snapshot") {
    const { [id]: _, ...reached } = state.reached;
    return { ...state, live: { ...state.live, [id]: liveFrom(message) }, reached };
  }
  const handler = MESSAGE_HANDLERS[message.type];
  return handler ? updateLive(state, id, (live) => handler(live, message)) : state;
}

/**
 * @param {SnapshotMessage} snapshot
 * @returns {LiveRun}
 */
const liveFrom = (snapshot) => ({
  run: snapshot.run_state,
  curve: curveOf(snapshot.loss),
  refining: snapshot.loss.bucket > 1,
  lowestLoss: lowestLoss(validationOf(snapshot.loss.validation)),
  validation: validationOf(snapshot.loss.validation),
  checkpoints: keepCheckpoints(snapshot.checkpoints, snapshot.run_state),
});

/** @type {Partial<Record<ServerMessage["type"], (live: LiveRun, message: any) => LiveRun>>} */
const MESSAGE_HANDLERS = {
  progress(live, /** @type {ProgressMessage} */ message) {
    const { update, epoch, loss, smooth_loss, best, updates_per_second, curve } = message;
    const moved = { update, epoch, loss, smooth_loss, best, updates_per_second };
    return { ...live, run: { ...live.run, ...moved }, curve: append(live.curve, curve) };
  },
  sample(live, /** @type {SampleMessage} */ { sample }) {
    const validation = addSample(live.validation, sample);
    return { ...live, validation, lowestLoss: lowestLoss(validation) };
  },
  checkpoint(live, /** @type {CheckpointMessage} */ { checkpoint }) {
    const others = live.checkpoints.filter(({ id }) => id !== checkpoint.id);
    return { ...live, checkpoints: keepCheckpoints([...others, checkpoint], live.run) };
  },
  checkpoint_deleted: (live, /** @type {CheckpointDeletedMessage} */ { checkpoint_id: gone }) => ({
    ...live,
    checkpoints: live.checkpoints.filter(({ id }) => id !== gone),
  }),
  state: (live, /** @type {StateMessage} */ { run_state: run }) => ({ ...live, run }),
};
