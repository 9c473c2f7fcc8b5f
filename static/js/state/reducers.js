/** What each message and each deed of the reader makes of the state. Pure functions all. */

import { append, curveOf, emptyCurve, lastUpdate, splice } from "../curve/loss-curve.js";
import { firstSeen, indexOfSample, keepSamples, mergeSamples } from "./samples.js";
import { DEFAULT_SMOOTHING, resmooth } from "../curve/smoothing.js";
import { addSample, validationOf } from "../curve/validation-loss.js";

const LIMIT_MILESTONES = 400;
const LIMIT_CHECKPOINTS = 200;
const MAX_AUTOMATIC = 2; // by the server, which takes older ones away without a word

/** What is known of a run before its first message. */
const EMPTY_RUN = {
  run: null,
  samples: [],
  milestones: [],
  checkpoints: [], // but for those that are leaving
  allCheckpoints: [], // all checkpoints that the server has
  curve: emptyCurve(),
  validation: validationOf(null),
  refining: false, // the start of the curve is still coarse: see curve/detail-loader.js
  detail: null,
  reached: {}, // at which update the loss was first below each reference line
  smoothed: null, // {curve, exact}: the curve smoothed otherwise, and to which update exactly so
  viewers: null,
  pinned: null,
  hovered: null,
  asWritten: false, // the pinned sample was opened to see the text as it was written
  peakRange: null, // the range of updates in which the greatest loss is being looked for, to be pinned
  reading: null, // what was read at an update, as the server tells it
  readingError: null, // why that can't be told
  lossByPosition: null, // the loss by position, a row an epoch: see reading/position-loader.js
  freshHurrah: null,
  knownHurrahs: [], // the words that were a hurrah while this page looked on, or before
  newHurrah: null,
  passage: null, // what is asked for in the drawer: see state/passage-link.js
  range: null,
  scale: null, // until the run's pace suggests one
};

/** What the axes of the curve show, whichever run is in view; see curve/axes.js. */
const DEFAULT_AXES = { xAxis: "updates", unit: "sequence", lossScale: "linear", smoothing: DEFAULT_SMOOTHING };

/** The state of a page that has just been opened. */
export const initialState = ({ operator }) => ({
  operator,
  runId: null,
  runs: null, // but for those that are leaving
  allRuns: null, // all that the server has
  pendingDelete: [], // ids of runs and checkpoints that are being deleted, and can still be kept
  corpora: {},
  connection: { status: "connecting", retryInS: null },
  sideTab: "writing",
  textMode: "replay", // the past as the same random numbers write it; or "written", as it was written
  curveTab: "time", // of the curve card: over time, or "position", by position in the corpus
  ...DEFAULT_AXES,
  ...EMPTY_RUN,
});

/**
 * @param {Object} state
 * @param {Object} action `{type: "message", message}`, or one of the reader's: see ACTION_HANDLERS.
 */
export function reduce(state, action) {
  const handler = ACTION_HANDLERS[action.type];
  return handler ? handler(state, action) : state;
}

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
    corpora: Object.fromEntries(corpora.map((corpus) => [corpus.id, corpus])),
  }),

  /** Look at another run, or at none; `view` is what the address asks to see of it. */
  open: (state, { runId, view }) => ({ ...state, ...EMPTY_RUN, ...view, runId }),
  /** Look at something else of the same run. */
  setView: (state, { view }) => ({
    ...state,
    ...{ pinned: null, range: null, detail: null, textMode: "replay", asWritten: false },
    passage: null,
    ...{ peakRange: null, sideTab: "writing", curveTab: "time" },
    ...{ ...DEFAULT_AXES, smoothed: null },
    ...view,
  }),
  /** Turn the card beside the curve to the writing, or to what was read. */
  sideTab: (state, { sideTab }) => ({ ...state, sideTab }),

  /** A run as an answer to a request named it. */
  run: (state, { run }) => (run.id === state.runId ? { ...state, run } : state),
  checkpointSaved: (state, { checkpoint }) => withCheckpoint(state, checkpoint),

  /** A passage is in the drawer, or (null) none. */
  passage: (state, { passage }) => (passage === state.passage ? state : { ...state, passage }),

  /** Stay with the sample at an update, to see it `asWritten` if so; null goes back to the newest. */
  pin: (state, { update, asWritten = false }) => ({
    ...state,
    pinned: update,
    hovered: null,
    peakRange: null,
    asWritten: asWritten && update !== null,
  }),
  /** Look at the sample at an update for as long as something points there. */
  hover: (state, { update }) =>
    state.hovered === update ? state : { ...state, hovered: update },

  /** Choose between the two texts of a past update. */
  textMode: (state, { textMode }) => ({ ...state, textMode, asWritten: false }),
  /** Samples that the page did not hold. */
  samples: (state, { runId, samples }) =>
    runId === state.runId
      ? { ...state, samples: keepVisible(mergeSamples(state.samples, samples), state) }
      : state,
  /** Turn the curve card to the loss over time, or by page. */
  curveTab: (state, { curveTab }) => ({ ...state, curveTab }),
  /** Stay with the greatest loss from one update to another, and with what was read there. */
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
    return range && range === state.peakRange ? { ...next, pinned: reading.update, peakRange: null } : next;
  },
  readingError: (state, { runId, problem }) =>
    runId === state.runId ? { ...state, reading: null, readingError: problem, peakRange: null } : state,
  lossByPosition: (state, { runId, lossByPosition }) => (runId === state.runId ? { ...state, lossByPosition } : state),

  scale: (state, { scale }) => ({ ...state, scale }),
  /** Choose what an axis shows: some of DEFAULT_AXES. */
  axes: (state, { view }) =>
    view.smoothing === undefined || view.smoothing === state.smoothing
      ? { ...state, ...view }
      : { ...state, ...view, smoothed: null, detail: null },
  /** Zoom to `[from, to]` in updates; null follows the live end. */
  zoom: (state, { range }) => ({ ...state, range, detail: range ? state.detail : null }),
  detail: (state, { runId, smoothing, detail }) =>
    runId === state.runId && smoothing === state.smoothing ? { ...state, detail } : state,
  /** The curve smoothed otherwise: all of it, from coarse to fine, or what came since. */
  smoothed(state, { runId, smoothing, losses }) {
    if (runId !== state.runId || smoothing !== state.smoothing || !losses.length) return state;
    const before = state.smoothed?.curve ?? curveOf(losses[0]);
    const curve = losses.reduce(splice, before);
    return { ...state, smoothed: { curve, exact: Math.max(...losses.map(({ to }) => to)) } };
  },
  reached: (state, { runId, name, update }) =>
    runId === state.runId ? { ...state, reached: { ...state.reached, [name]: update } } : state,
  /** The finer points of the curve's start, from coarse to fine. */
  refined: (state, { runId, losses }) =>
    runId === state.runId
      ? { ...state, curve: losses.reduce(splice, state.curve), refining: false }
      : state,
};

function receive(state, message) {
  if (message.run !== state.runId) return state;
  const handler = MESSAGE_HANDLERS[message.type];
  const next = handler ? handler(state, message) : state;
  return typeof message.viewers === "number" && message.viewers !== next.viewers
    ? { ...next, viewers: message.viewers }
    : next;
}

const MESSAGE_HANDLERS = {
  snapshot: (state, message) => ({
    ...state,
    run: message.run_state,
    curve: curveOf(message.loss),
    refining: message.loss.bucket > 1,
    validation: validationOf(message.loss.validation),
    detail: null,
    lossByPosition: null,
    smoothed: null,
    reached: {},
    samples: keepVisible(message.samples, state),
    milestones: keepMilestones(message.milestones),
    ...withCheckpoints(keepCheckpoints(message.checkpoints), state),
    freshHurrah: null,
    newHurrah: null,
    knownHurrahs: [...new Set([...state.knownHurrahs, ...firstSeen(message).keys()])],
    scale: state.scale ?? (message.run_state.spec.pace === "cinematic" ? "log" : "linear"),
  }),

  progress(state, message) {
    if (!state.run) return state;
    const { update, epoch, position, loss, smooth_loss, seconds, best } = message;
    const { updates_per_second } = message;
    const moved = { update, epoch, position, loss, smooth_loss, seconds, best, updates_per_second };
    return {
      ...state,
      run: { ...state.run, ...moved },
      curve: append(state.curve, message.curve),
      smoothed: state.smoothed && extendSmoothed(state, message.curve),
    };
  },

  sample(state, { sample }) {
    return {
      ...state,
      samples: keepVisible(mergeSamples(state.samples, [sample]), state),
      validation: addSample(state.validation, sample),
      ...addHurrah(state, sample),
    };
  },

  milestone: (state, { milestone }) => ({
    ...state,
    milestones: withMilestone(state.milestones, milestone),
  }),
  milestone_removed: (state, { milestone_id }) => ({
    ...state,
    milestones: state.milestones.filter(({ id }) => id !== milestone_id),
  }),

  checkpoint: (state, { checkpoint }) => withCheckpoint(state, checkpoint),
  checkpoint_deleted: (state, { checkpoint_id: gone }) => ({
    ...state,
    ...withCheckpoints(state.allCheckpoints.filter(({ id }) => id !== gone), state),
  }),
  state: (state, { run_state: run }) => ({ ...state, run }),
};

/** A word is a hurrah once: not again when the run goes back and writes it anew. */
function addHurrah({ knownHurrahs }, { update, hurrahs }) {
  const words = (hurrahs ?? []).filter((word) => !knownHurrahs.includes(word));
  if (!words.length) return {};
  const newHurrah = { update, words };
  return { newHurrah, freshHurrah: update, knownHurrahs: [...knownHurrahs, ...words] };
}

/** As many samples as the page holds, among them those that the reader looks at closely. */
function keepVisible(samples, { range, pinned }) {
  if (range || pinned === null) return keepSamples(samples, range);
  return keepSamples(samples, [samples[indexOfSample(samples, pinned)]?.update ?? pinned, pinned]);
}

const withoutPending = (things, { pendingDelete }) => things.filter(({ id }) => !pendingDelete.includes(id));

const withCheckpoints = (allCheckpoints, state) => ({ allCheckpoints, checkpoints: withoutPending(allCheckpoints, state) });

function withCheckpoint(state, checkpoint) {
  const others = state.allCheckpoints.filter(({ id }) => id !== checkpoint.id);
  return { ...state, ...withCheckpoints(keepCheckpoints([...others, checkpoint]), state) };
}

/** Bounded, and without the automatic ones that the server has taken away. */
export function keepCheckpoints(checkpoints) {
  const automatic = checkpoints.filter((checkpoint) => checkpoint.automatic);
  const gone = new Set(automatic.slice(0, -MAX_AUTOMATIC).map(({ id }) => id));
  return checkpoints.filter(({ id }) => !gone.has(id)).slice(-LIMIT_CHECKPOINTS);
}

/** The curve that is smoothed otherwise, gone on with by what the run's own smooth loss tells. */
function extendSmoothed({ smoothed, curve, smoothing }, part) {
  const start = part.update.findIndex((update) => update > lastUpdate(curve));
  if (start < 0) return smoothed;
  const fresh = Object.fromEntries(Object.entries(part).map(([name, all]) => [name, all.slice(start)]));
  const further = resmooth(fresh, Number(smoothing), curve, smoothed.curve);
  return { ...smoothed, curve: append(smoothed.curve, further) };
}

/** `milestones` with another, which takes the place of the one with its id. */
function withMilestone(milestones, milestone) {
  const at = milestones.findIndex(({ id }) => id && id === milestone.id);
  return at < 0
    ? keepMilestones([...milestones, milestone])
    : milestones.with(at, milestone);
}

/** Bounded; epochs go first, which the chart knows by itself, and hurrahs and notes never. */
function keepMilestones(milestones) {
  let kept = milestones;
  for (const lesser of [["epoch"], ["epoch", "change", "checkpoint", "rollback"]]) {
    let surplus = kept.length - LIMIT_MILESTONES;
    if (surplus <= 0) return kept;
    kept = kept.filter(({ kind }) => !lesser.includes(kind) || (surplus -= 1) < 0);
  }
  return kept.slice(-LIMIT_MILESTONES * 3);
}
