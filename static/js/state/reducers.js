/** How each message and each action of the user changes the state. Pure functions. */

import { append, curveOf, emptyCurve, lastUpdate, splice } from "../curve/loss-curve.js";
import { firstSeen, indexOfSample, keepSamples, mergeSamples } from "./samples.js";
import { playedState, wholeState } from "./playback.js";
import { OWN_SMOOTHING, ownFactor, resmooth } from "../curve/smoothing.js";
import { appendMetrics, NO_METRICS } from "../curve/metric-curves.js";
import { addSample, validationOf } from "../curve/validation-loss.js";

const LIMIT_MILESTONES = 400;
const LIMIT_CHECKPOINTS = 200;
const MAX_AUTOMATIC = 2; // the server deletes older automatic checkpoints without a message

/** @type {RunViewState} */
const EMPTY_RUN = {
  run: null,
  samples: [],
  milestones: [],
  checkpoints: [], // without those in `pendingDelete`
  allCheckpoints: [],
  curve: emptyCurve(),
  validation: validationOf(null),
  refining: false, // the start of the curve is still coarse; see curve/detail-loader.js
  detail: null,
  reached: {}, // the update at which the loss passed each reference
  smoothed: null, // the curve with another smoothing, and the update up to which it is exact
  viewers: null,
  pinned: null,
  hovered: null,
  heldSample: null, // the update of the sample that is held while newer ones arrive
  asWritten: false, // show the pinned sample as it was written
  peakRange: null, // range of updates whose greatest loss is being fetched, to be pinned
  reading: null,
  readingError: null,
  lossByPosition: null,
  metrics: NO_METRICS,
  metricDetail: null, // finer metrics of the updates in view
  ownLosses: null, // the user's losses over the chart
  groupLoss: null, // the band of the run's group
  freshHurrah: null,
  knownHurrahs: [], // words that were a hurrah already
  newHurrah: null,
  playback: null, // see state/playback.js
  latest: {}, // the last message of each type without a handler in MESSAGE_HANDLERS
  passage: null,
  range: null,
  scale: null, // until the run's pace suggests one
};

/**
 * The axes, which stay the same when another run is opened.
 *
 * @type {Pick<WatchState, "xAxis" | "unit" | "lossScale" | "smoothing" | "seeds">}
 */
const DEFAULT_AXES = {
  xAxis: "updates",
  unit: "sequence",
  lossScale: "linear",
  smoothing: OWN_SMOOTHING,
  seeds: "range",
};

/**
 * The state of a page that was just opened.
 *
 * @param {{operator: boolean}} user
 * @returns {WatchState}
 */
export const initialState = ({ operator }) => ({
  operator,
  runId: null,
  runs: null, // without those in `pendingDelete`
  allRuns: null,
  pendingDelete: [], // ids of runs and checkpoints whose deletion can still be undone
  corpora: {},
  connection: { status: "connecting", retryInS: null, silentS: null, reason: null, heardAt: null },
  sideTab: "writing",
  textMode: "written",
  curveTab: "time",
  metricsShown: false,
  newRun: null,
  vary: null,
  ...DEFAULT_AXES,
  ...EMPTY_RUN,
});

/**
 * @param {WatchState} state
 * @param {Action} action see ACTION_HANDLERS.
 */
export function reduce(state, action) {
  const handler = ACTION_HANDLERS[action.type];
  return handler ? playedState(handler(wholeState(state), action)) : state;
}

/** @type {Record<string, (state: WatchState, action: any) => WatchState>} */
const ACTION_HANDLERS = {
  message: (state, { message }) => receive(state, message),
  connection: (state, { connection }) => ({ ...state, connection }),
  runs: (state, { runs }) => ({ ...state, allRuns: runs, runs: withoutPending(runs, state) }),
  pendingDelete: (state, { pendingDelete }) => ({
    ...state,
    pendingDelete,
    runs: state.allRuns && withoutPending(state.allRuns, { pendingDelete }),
    checkpoints: withoutPending(state.allCheckpoints, { pendingDelete }),
  }),
  corpora: (state, { corpora }) => ({
    ...state,
    // The list lacks the headings.
    corpora: Object.fromEntries(
      corpora.map((/** @type {ListedCorpus} */ each) => [
        each.id,
        { ...state.corpora[each.id], ...each },
      ]),
    ),
  }),
  corpus: (state, { corpus }) => ({
    ...state,
    corpora: { ...state.corpora, [corpus.id]: corpus },
  }),

  /** Open another run, or none; `view` is the part of the state that the URL sets. */
  open: (state, { runId, view }) => ({ ...state, ...EMPTY_RUN, ...view, runId }),
  /** Change the view of the same run. */
  setView: (state, { view }) => ({
    ...state,
    ...{ pinned: null, range: null, detail: null, textMode: "written", asWritten: false },
    passage: null,
    ...{ peakRange: null, sideTab: "writing", curveTab: "time", metricsShown: false },
    ...{ ...DEFAULT_AXES, smoothed: null },
    ...view,
  }),
  /** Select the writing or the reading in the card beside the curve. */
  sideTab: (state, { sideTab }) => ({ ...state, sideTab }),

  /** A run from the answer to a request. */
  run: (state, { run }) => (run.id === state.runId ? { ...state, run } : state),
  checkpointSaved: (state, { checkpoint }) => withCheckpoint(state, checkpoint),

  /** The user's losses over the chart; null for none. */
  ownLosses: (state, { ownLosses }) => ({ ...state, ownLosses }),
  groupLoss: (state, { runId, loss }) =>
    runId === state.runId ? { ...state, groupLoss: loss } : state,

  /** The passage in the drawer; null for none. */
  passage: (state, { passage }) => (passage === state.passage ? state : { ...state, passage }),

  /** The settings in the form for a new run, as the URL has them; null while it is closed. */
  newRun: (state, { text, vary }) =>
    text === state.newRun && vary === state.vary ? state : { ...state, newRun: text, vary },

  /** Pin the sample at an update, optionally as it was written; null follows the newest one. */
  pin: (state, { update, asWritten = false }) => ({
    ...state,
    pinned: update,
    hovered: null,
    peakRange: null,
    asWritten: asWritten && update !== null,
  }),
  /** Show the sample at an update while the pointer is there. */
  hover: (state, { update }) => (state.hovered === update ? state : { ...state, hovered: update }),

  /** Show the run as it was at an update; null shows it as it is. */
  playback: (state, { update }) => ({
    ...state,
    playback: update === null ? null : { update, state: state.run?.state, whole: null },
  }),

  /** Hold the sample at an update while newer ones arrive; null shows the newest one. */
  holdSample: (state, { update }) => ({ ...state, heldSample: update }),

  /** Choose between the two texts of a past update. */
  textMode: (state, { textMode }) => ({ ...state, textMode, asWritten: false }),
  /** Samples that were fetched. */
  samples: (state, { runId, samples }) =>
    runId === state.runId
      ? { ...state, samples: keepVisible(mergeSamples(state.samples, samples), state) }
      : state,
  /** Select the loss over time, or by position in the corpus. */
  curveTab: (state, { curveTab }) => ({ ...state, curveTab }),
  /** Pin the greatest loss between two updates, and show what was read there. */
  findPeak: (state, { from, to }) => ({
    ...state,
    pinned: Math.round((from + to) / 2),
    hovered: null,
    asWritten: false,
    peakRange: [from, to],
    sideTab: "reading",
  }),
  reading: (state, { runId, reading, range }) => {
    if (runId !== state.runId) return state;
    const next = { ...state, reading, readingError: null };
    const found = range && range === state.peakRange;
    return found ? { ...next, pinned: reading.update, peakRange: null } : next;
  },
  readingError: (state, { runId, problem }) =>
    runId === state.runId
      ? { ...state, reading: null, readingError: problem, peakRange: null }
      : state,
  /** Show or hide the metrics under the curve. */
  metricsShown: (state, { metricsShown }) => ({ ...state, metricsShown }),
  metricDetail: (state, { runId, metrics }) =>
    runId === state.runId ? { ...state, metricDetail: metrics } : state,
  lossByPosition: (state, { runId, lossByPosition }) =>
    runId === state.runId ? { ...state, lossByPosition } : state,

  scale: (state, { scale }) => ({ ...state, scale }),
  /** Change what the axes show: some of DEFAULT_AXES. */
  axes: (state, { view }) =>
    view.smoothing === undefined || view.smoothing === state.smoothing
      ? { ...state, ...view }
      : { ...state, ...view, smoothed: null, detail: null },
  /** Zoom to `[from, to]` in updates; null follows the live end. */
  zoom: (state, { range }) => ({ ...state, range, detail: range ? state.detail : null }),
  detail: (state, { runId, smoothing, detail }) =>
    runId === state.runId && smoothing === state.smoothing ? { ...state, detail } : state,
  /** The curve with another smoothing: all of it, from coarse to fine, or its new end. */
  smoothed(state, { runId, smoothing, losses }) {
    if (runId !== state.runId || smoothing !== state.smoothing || !losses.length) return state;
    const before = state.smoothed?.curve ?? curveOf(losses[0]);
    const curve = losses.reduce(splice, before);
    const exact = Math.max(...losses.map((/** @type {Loss} */ { to }) => to));
    return { ...state, smoothed: { curve, exact } };
  },
  reached: (state, { runId, name, update }) =>
    runId === state.runId ? { ...state, reached: { ...state.reached, [name]: update } } : state,
  /** Finer points of the start of the curve, from coarse to fine. */
  refined: (state, { runId, losses }) =>
    runId === state.runId
      ? { ...state, curve: losses.reduce(splice, state.curve), refining: false }
      : state,
};

/**
 * @param {WatchState} state
 * @param {ServerMessage} message
 */
function receive(state, message) {
  if (message.run !== state.runId) return state;
  const handler = MESSAGE_HANDLERS[message.type];
  const next = handler ? handler(state, message) : withLatest(state, message);
  return "viewers" in message && message.viewers !== next.viewers
    ? { ...next, viewers: message.viewers }
    : next;
}

/**
 * @param {WatchState} state
 * @param {ServerMessage} message
 */
const withLatest = (state, message) => ({
  ...state,
  latest: { ...state.latest, [message.type]: message },
});

/**
 * One handler for each type of message that changes more of the state than `latest`.
 *
 * @typedef {(state: WatchState, message: any) => WatchState} Handler
 * @type {Partial<Record<ServerMessage["type"], Handler>>}
 */
const MESSAGE_HANDLERS = {
  snapshot: (state, /** @type {SnapshotMessage} */ message) => ({
    ...state,
    run: message.run_state,
    curve: curveOf(message.loss),
    refining: message.loss.bucket > 1,
    metrics: message.metrics,
    metricDetail: null,
    validation: validationOf(message.loss.validation),
    detail: null,
    lossByPosition: null,
    smoothed: null,
    reached: {},
    samples: keepVisible(message.samples, state),
    milestones: keepMilestones(message.milestones),
    ...withCheckpoints(keepCheckpoints(message.checkpoints, message.run_state), state),
    heldSample: null,
    freshHurrah: null,
    newHurrah: null,
    latest: {},
    knownHurrahs: [...new Set([...state.knownHurrahs, ...firstSeen(message).keys()])],
    scale: state.scale ?? (message.run_state.spec.pace === "cinematic" ? "log" : "linear"),
  }),

  progress(state, /** @type {ProgressMessage} */ message) {
    if (!state.run) return state;
    const { update, epoch, position, loss, smooth_loss, seconds, best } = message;
    const { updates_per_second } = message;
    const moved = { update, epoch, position, loss, smooth_loss, seconds, best, updates_per_second };
    return {
      ...state,
      run: { ...state.run, ...moved },
      curve: append(state.curve, message.curve),
      metrics: appendMetrics(state.metrics, message.metrics),
      smoothed: state.smoothed && extendSmoothed(state.smoothed, state, message.curve),
    };
  },

  sample: (state, /** @type {SampleMessage} */ { sample }) => ({
    ...state,
    samples: keepVisible(mergeSamples(state.samples, [sample]), state),
    validation: addSample(state.validation, sample),
    ...addHurrah(state, sample),
  }),

  milestone: (state, /** @type {MilestoneMessage} */ { milestone }) => ({
    ...state,
    milestones: withMilestone(state.milestones, milestone),
  }),
  milestone_removed: (state, /** @type {MilestoneRemovedMessage} */ { milestone_id }) => ({
    ...state,
    milestones: state.milestones.filter(({ id }) => id !== milestone_id),
  }),

  checkpoint: (state, /** @type {CheckpointMessage} */ { checkpoint }) =>
    withCheckpoint(state, checkpoint),
  checkpoint_deleted: (state, /** @type {CheckpointDeletedMessage} */ { checkpoint_id: gone }) => ({
    ...state,
    ...withCheckpoints(
      state.allCheckpoints.filter(({ id }) => id !== gone),
      state,
    ),
  }),
  state: (state, /** @type {StateMessage} */ { run_state: run }) => ({ ...state, run }),
};

/**
 * A word is a hurrah once: not again after the run went back and writes it once more.
 *
 * @param {WatchState} state
 * @param {Sample} sample
 */
function addHurrah({ knownHurrahs }, { update, hurrahs }) {
  const words = (hurrahs ?? []).filter((word) => !knownHurrahs.includes(word));
  if (!words.length) return {};
  const newHurrah = { update, words };
  return { newHurrah, freshHurrah: update, knownHurrahs: [...knownHurrahs, ...words] };
}

/**
 * As many samples as the page stores, including those in the zoomed range or at the pinned update.
 *
 * @param {Sample[]} samples
 * @param {WatchState} state
 */
function keepVisible(samples, { range, pinned, heldSample }) {
  const seen = pinned ?? heldSample;
  if (range || seen === null) return keepSamples(samples, range);
  return keepSamples(samples, [samples[indexOfSample(samples, seen)]?.update ?? seen, seen]);
}

/**
 * @template {{id: string}} T
 * @param {T[]} things
 * @param {{pendingDelete: string[]}} state
 */
const withoutPending = (things, { pendingDelete }) =>
  things.filter(({ id }) => !pendingDelete.includes(id));

/**
 * @param {Checkpoint[]} allCheckpoints
 * @param {WatchState} state
 */
const withCheckpoints = (allCheckpoints, state) => ({
  allCheckpoints,
  checkpoints: withoutPending(allCheckpoints, state),
});

/**
 * @param {WatchState} state
 * @param {Checkpoint} checkpoint
 */
function withCheckpoint(state, checkpoint) {
  const others = state.allCheckpoints.filter(({ id }) => id !== checkpoint.id);
  const kept = keepCheckpoints([...others, checkpoint], state.run);
  return { ...state, ...withCheckpoints(kept, state) };
}

/**
 * A bounded number of checkpoints, without the automatic ones that the server has deleted. It keeps
 * the newest from before the training diverged.
 *
 * @param {Checkpoint[]} checkpoints
 * @param {Run | null} run
 */
export function keepCheckpoints(checkpoints, run) {
  const automatic = checkpoints.filter((checkpoint) => checkpoint.automatic);
  const since = run?.diverged_since ?? 0;
  const good = automatic.findLast(({ update, damaged }) => update < since && !damaged);
  const old = automatic.slice(0, -MAX_AUTOMATIC).filter((checkpoint) => checkpoint !== good);
  const gone = new Set(old.map(({ id }) => id));
  return checkpoints.filter(({ id }) => !gone.has(id)).slice(-LIMIT_CHECKPOINTS);
}

/**
 * The curve with another smoothing, extended by an estimate for the new points.
 *
 * @param {{curve: Curve, exact: number}} smoothed
 * @param {WatchState} state
 * @param {CurvePart} part
 */
function extendSmoothed(smoothed, { curve, smoothing, run }, part) {
  const start = part.update.findIndex((update) => update > lastUpdate(curve));
  if (start < 0 || !run) return smoothed;
  const fresh = /** @type {CurvePart} */ (
    Object.fromEntries(Object.entries(part).map(([name, all]) => [name, all.slice(start)]))
  );
  const further = resmooth(fresh, Number(smoothing), ownFactor(run.spec), curve, smoothed.curve);
  return { ...smoothed, curve: append(smoothed.curve, further) };
}

/**
 * Add a milestone, or replace the one with the same id.
 *
 * @param {Milestone[]} milestones
 * @param {Milestone} milestone
 */
function withMilestone(milestones, milestone) {
  const at = milestones.findIndex(({ id }) => id && id === milestone.id);
  return at < 0 ? keepMilestones([...milestones, milestone]) : milestones.with(at, milestone);
}

/**
 * A bounded number of milestones. Epochs are dropped first, since the chart can compute them;
 * hurrahs and notes are dropped last.
 *
 * @param {Milestone[]} milestones
 */
function keepMilestones(milestones) {
  let kept = milestones;
  for (const lesser of [["epoch"], ["epoch", "change", "checkpoint", "rollback"]]) {
    let surplus = kept.length - LIMIT_MILESTONES;
    if (surplus <= 0) return kept;
    kept = kept.filter(({ kind }) => !lesser.includes(kind) || (surplus -= 1) < 0);
  }
  return kept.slice(-LIMIT_MILESTONES * 3);
}
