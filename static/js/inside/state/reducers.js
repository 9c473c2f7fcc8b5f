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
  runId: null,
  source: "latest",
  ...emptyRun,
  ...given,
});

/**
 * The part of the state that belongs to the run in view.
 *
 * @type {Omit<InsideState, "operator" | "runs" | "view" | "temperature" | "tint" | "updateStep" |
 *   "compared" | "lag" | "runId" | "source">}
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
  probe: null,
  history: null,
  health: null,
  memories: null,
  problem: null,
};

const noSelection = { position: null, hovered: null };

/** @type {Record<string, (state: InsideState, message: any) => InsideState>} */
const MESSAGE_HANDLERS = {
  snapshot: (state, { run_state: run, viewers }) => ({ ...state, run, viewers }),
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
  temperature: {
    read: ({ temperature }) => (temperature === 1 ? null : String(temperature)),
    parse(text) {
      const temperature = Number(text);
      return text && temperature >= 0 && temperature <= 2 ? { temperature } : null;
    },
  },
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
  /** The probe text, unless it is the run's own. */
  text: {
    read: ({ text, defaultText }) => (text === defaultText ? null : text),
    parse: (text) => {
      const characters = [...text].slice(0, LIMITS.probe_characters);
      return text ? { text: characters.join("") } : null;
    },
  },
};
