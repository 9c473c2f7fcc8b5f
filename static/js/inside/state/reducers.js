/** The state of the Inside page, and the actions that change it. Pure functions. */

import { LIMITS } from "../../lib/limits.js";
import { oneOf } from "../../state/url-state.js";

/**
 * @param {Partial<InsideState>} [given]
 * @returns {InsideState}
 */
export const initialState = (given = {}) => ({
  operator: false,
  runs: null,
  view: "text",
  temperature: 1,
  tint: "surprisal",
  updateStep: 0,
  compared: null,
  lag: null,
  threshold: 0.5,
  edges: false,
  onlyUnit: false,
  held: 1,
  seed: 0,
  holding: false,
  runId: null,
  source: "latest",
  ...emptyRun,
  ...given,
});

/**
 * The part of the state that belongs to the run in view.
 *
 * @type {Omit<InsideState, "operator" | "runs" | "view" | "temperature" | "tint" | "updateStep" |
 *   "compared" | "lag" | "threshold" | "edges" | "onlyUnit" | "held" | "seed" | "holding" |
 *   "runId" | "source">}
 */
const emptyRun = {
  run: null,
  connection: { status: "connecting", retryInS: null, silentS: null, reason: null, heardAt: null },
  viewers: null,
  snapshots: [],
  text: null,
  defaultText: null,
  position: null,
  hovered: null,
  unit: null,
  unitList: null,
  stretch: null,
  askedAt: null,
  probe: null,
  history: null,
  health: null,
  memories: null,
  problem: null,
};

const noSelection = { position: null, hovered: null, stretch: null };

/** @type {Record<string, (state: InsideState, message: any) => InsideState>} */
const MESSAGE_HANDLERS = {
  /** The URL may name a unit that the network does not have. */
  snapshot(state, { run_state: run, viewers }) {
    return { ...state, run, viewers, unit: chosenUnit({ unit: state.unit, run }) };
  },
  state: (state, { run_state: run }) => ({ ...state, run }),
  viewers: (state, { viewers }) => ({ ...state, viewers }),
  progress(state, { update, epoch, position, loss, smooth_loss, best, updates_per_second }) {
    if (!state.run) return state;
    const moved = { update, epoch, position, loss, smooth_loss, best, updates_per_second };
    return { ...state, run: { ...state.run, ...moved } };
  },
};

/** @type {Record<string, (state: InsideState, action: any) => InsideState>} */
const ACTIONS = {
  /** A part of the state, from the URL or from a control of the page. */
  set: (state, { values }) => ({ ...state, ...values }),
  /** Another run. The probe text remains if the user has written it. */
  open: (state, { runId, values = {} }) => ({
    ...state,
    ...emptyRun,
    runId,
    source: "latest",
    text: state.text === state.defaultText ? null : state.text,
    ...values,
  }),
  message: (state, { message }) => MESSAGE_HANDLERS[message.type]?.(state, message) ?? state,
  /** Another text: the selected character was in the old one. */
  text: (state, { text }) => (text === state.text ? state : { ...state, text, ...noSelection }),
  defaultText: (state, { text }) => ({
    ...state,
    defaultText: text,
    text: state.text ?? text,
  }),
  /** A probe of the newest request; a problem that it had is over. */
  probe: (state, { probe }) => ({ ...state, probe, problem: null }),
};

/** @type {(state: InsideState, action: Action) => InsideState} */
export const reduce = (state, action) => ACTIONS[action.type]?.(state, action) ?? state;

/** Whether the model in view is the one that trains. @param {InsideState} state */
export const isLive = ({ source }) => source === "latest";

/** Whether the network in view may change. @param {InsideState} state */
export const mayChange = (state) =>
  isLive(state) && ["queued", "running", "paused"].includes(state.run?.state ?? "");

/** The selected unit, if the network has it. @param {Pick<InsideState, "unit" | "run">} state */
export function chosenUnit({ unit, run }) {
  const { layers, hidden_size: size } = run?.spec ?? { layers: 0, hidden_size: 0 };
  return unit && unit.layer < layers && unit.unit < size ? unit : null;
}

/**
 * A parameter for a number; the default is omitted.
 *
 * @param {string} key
 * @param {number} least
 * @param {number} most
 * @param {number} usual
 * @returns {UrlParameter}
 */
const number = (key, least, most, usual) => ({
  read: (state) => (state[key] === usual ? null : String(state[key])),
  parse(text) {
    const value = Number(text);
    return text && value >= least && value <= most ? { [key]: value } : null;
  },
});

/** A parameter for a switch that is off by default. @type {(key: string) => UrlParameter} */
const flag = (key) => ({
  read: (state) => (state[key] ? "1" : null),
  parse: (text) => (text === "1" ? { [key]: true } : null),
});

const WHOLE = /^\d{1,15}$/;

/** The parameters of the URL; see state/url-state.js. @type {Record<string, UrlParameter>} */
export const PARAMETERS = {
  run: { read: ({ runId }) => runId, parse: (text) => (text ? { runId: text } : null) },
  view: {
    read: ({ view }) => (view === "text" ? null : view),
    parse: (text) => ({ view: text }),
  },
  /** The update of a snapshot; absent: the live network. */
  update: {
    read: ({ source }) => (typeof source === "object" ? String(source.update) : null),
    parse: (text) => (WHOLE.test(text) ? { source: { update: Number(text) } } : null),
  },
  temperature: number("temperature", 0, 2, 1),
  tint: oneOf("tint", ["surprisal", "gradient"]),
  /** The index of the selected character. */
  at: {
    read: ({ position }) => (position === null ? null : String(position)),
    parse: (text) => (WHOLE.test(text) ? { position: Number(text) } : null),
  },
  /** The layer and the number of a unit, "0-37". */
  unit: {
    read: ({ unit }) => unit && `${unit.layer}-${unit.unit}`,
    parse(text) {
      const [, layer, unit] = /^(\d{1,2})-(\d{1,6})$/.exec(text) ?? [];
      return unit ? { unit: { layer: Number(layer), unit: Number(unit) } } : null;
    },
  },
  /** The position in the update; see update/positions.js. */
  step: {
    read: ({ updateStep }) => (updateStep ? String(updateStep) : null),
    parse: (text) => (WHOLE.test(text) ? { updateStep: Number(text) } : null),
  },
  /** The ids of the runs whose memory is compared, "-" for none. */
  with: {
    read: ({ compared }) => compared && compared.map((id) => id || "-").join(","),
    parse: (text) => ({ compared: text.split(",").map((id) => (id === "-" ? "" : id)) }),
  },
  lag: {
    read: ({ lag }) => (lag === null ? null : String(lag)),
    parse: (text) => (/^\d{1,4}$/.test(text) ? { lag: Number(text) } : null),
  },
  /** The selected stretch of the probe text, "12-18". */
  stretch: {
    read: ({ stretch }) => stretch && `${stretch.from}-${stretch.to}`,
    parse(text) {
      const [, from, to] = (/^(\d{1,6})-(\d{1,6})$/.exec(text) ?? []).map(Number);
      return from < to ? { stretch: { from, to } } : null;
    },
  },
  threshold: number("threshold", 0, 0.95, 0.5),
  edges: flag("edges"),
  only: flag("onlyUnit"),
  /** The value at which the selected unit is held, and the seed of the passages. */
  held: number("held", -1, 1, 1),
  seed: number("seed", 0, 2 ** 53 - 1, 0),
  /** The probe text, unless it is the run's own. */
  text: {
    read: ({ text, defaultText }) => (text === defaultText ? null : text),
    parse: (text) => {
      const characters = [...text].slice(0, LIMITS.probe_characters);
      return text ? { text: characters.join("") } : null;
    },
  },
};

/** The parts of the state that the parameters set. */
export const VIEW_KEYS = [
  ...["runId", "view", "source", "temperature", "tint", "position", "unit", "updateStep"],
  ...["compared", "lag", "stretch", "threshold", "edges", "onlyUnit", "held", "seed", "text"],
];
