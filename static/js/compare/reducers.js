/** The state of the comparison page, and how each action changes it. Pure functions. */

import { oneOf } from "../state/url-state.js";
import { append, curveOf, splice } from "../curve/loss-curve.js";
import { keepCheckpoints } from "../state/reducers.js";
import { isOutdated } from "../ui/connection.js";
import { groupRun, spreadOf } from "../groups/group-run.js";
import { SEED_BANDS } from "../curve/seed-band.js";
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
  seeds: "range",
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
  seeds: oneOf("seeds", SEED_BANDS),
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

/** The parts of the state that the parameters set. */
export const VIEW_KEYS = [
  ...["chosen", "metric", "x", "y", "scale"],
  ...["validation", "seeds", "range", "goal", "sort"],
];

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
      outdated: state.live[id].group
        ? state.unreachable
        : isOutdated({ connection: state.connections[id], run: state.live[id].run }),
    }));

/**
 * The groups in view.
 *
 * @param {CompareState} state
 */
export const visibleGroups = (state) => visibleRuns(state).filter(({ group }) => group);

/**
 * The name of the group with an id; undefined if there is none, or the list is not known.
 *
 * @param {Run[] | null} runs
 * @param {string} id
 */
export const groupName = (runs, id) => runs?.find(({ group }) => group?.id === id)?.group?.name;

/**
 * The id under which a run is compared: that of its group, if it has other members.
 *
 * @param {Run} run
 * @param {Run[]} runs
 */
const comparedId = ({ id, group }, runs) =>
  group && runs.some((other) => other.id !== id && other.group?.id === group.id) ? group.id : id;

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
  const ids = [first, ...begun.filter(isRelated), ...alike, ...begun].map((run) =>
    comparedId(run, runs),
  );
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
  runs: (state, { runs }) =>
    withoutPending({ ...state, allRuns: runs, unreachable: false, live: renamed(state, runs) }),
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
  /** A group that was fetched. */
  group: (state, { group }) =>
    state.chosen.includes(group.id)
      ? { ...state, live: { ...state.live, [group.id]: liveGroup(state, group) } }
      : state,
  /** What the bands of groups show. */
  seeds: (state, { seeds }) => ({ ...state, seeds }),
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

/**
 * @param {CompareState} state
 * @param {import("../groups/compare-loader.js").Fetched} fetched
 * @returns {LiveRun}
 */
function liveGroup({ allRuns }, { id, goal, figures, loss }) {
  const members = figures.map(({ run }) => run);
  const { update, mean: smooth, low, high, seconds, validation } = loss;
  const lowest = figures.map(({ lowest_validation: each }) => each);
  const [mean, at] = [
    spreadOf(lowest.map((each) => each?.loss)),
    spreadOf(lowest.map((each) => each?.update)),
  ];
  return {
    run: groupRun(id, groupName(allRuns, id) ?? members[0].group?.name ?? "", members),
    curve: { update, smooth, low, high, seconds },
    refining: false,
    lowestLoss: mean && at && { update: Math.round(at.mean), loss: mean.mean },
    validation: validationOf({
      update: validation.update,
      loss: validation.mean.map((each) => each ?? NaN),
    }),
    checkpoints: [],
    group: { figures, loss, goal },
  };
}

/**
 * What is known of the runs and groups in view, the groups with their names in a list of runs.
 *
 * @param {CompareState} state
 * @param {Run[]} runs
 */
function renamed({ live }, runs) {
  const changed = Object.entries(live).flatMap(([id, each]) => {
    const members = each.group?.figures.map(({ run }) => run) ?? [];
    const name = groupName(runs, id);
    const run = members.length && name !== undefined ? groupRun(id, name, members) : each.run;
    return run.name === each.run.name ? [] : [[id, { ...each, run }]];
  });
  return changed.length ? { ...live, ...Object.fromEntries(changed) } : live;
}

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
