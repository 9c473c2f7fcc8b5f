/** The state of the page of sweeps, and its changes. Pure functions. */

import { memoize } from "../lib/memoize.js";
import { goalAxis, parameterAxis } from "./axes.js";
import { configurationsOf } from "./configurations.js";
import { configurationState, goalText } from "./words.js";

/** @typedef {import("./axes.js").Axis} Axis */

/** The axis of the goal among those of the parameters. */
export const GOAL = "value";

/** The classes `goal-0`, the best, to `goal-7` colour what has a value of the goal. */
const COLOURS = 8;

/**
 * @param {{operator: boolean}} page
 * @returns {SweepsState}
 */
export const initialState = ({ operator }) => ({
  operator,
  sweepId: null,
  sweeps: null,
  sweep: null,
  unreachable: false,
  gone: false,
  pendingDelete: [],
  sort: { by: GOAL, descending: false },
  filters: {},
  pointed: null,
});

/** @type {Record<string, (state: SweepsState, action: any) => Partial<SweepsState>>} */
const HANDLERS = {
  setView: (_, { view }) => view,
  sweeps: (_, { sweeps }) => ({ sweeps, unreachable: false }),
  sweep: (_, { sweep }) => ({ sweep, unreachable: false }),
  unreachable: () => ({ unreachable: true }),
  gone: () => ({ gone: true }),
  pendingDelete: (_, { pendingDelete }) => ({ pendingDelete }),
  sort: (_, { sort }) => ({ sort }),
  /** The part of an axis to which the configurations are limited; null: all of it. */
  filter({ filters }, { name, range }) {
    const { [name]: _, ...others } = filters;
    return { filters: range ? { ...others, [name]: range } : others };
  },
  showAll: () => ({ filters: {} }),
  point: (_, { number }) => ({ pointed: number }),
};

/** @type {(state: SweepsState, action: Action) => SweepsState} */
export const reduce = (state, action) => ({ ...state, ...HANDLERS[action.type](state, action) });

/** @type {Record<string, UrlParameter>} */
export const PARAMETERS = {
  sweep: {
    read: ({ sweepId }) => sweepId,
    parse: (text) => (/^[\w-]{1,64}$/.test(text) ? { sweepId: text } : null),
  },
  sort: {
    read({ sort: { by, descending } }) {
      const isDefault = by === GOAL && !descending;
      return isDefault ? null : `${descending ? "-" : ""}${by}`;
    },
    parse(text) {
      const by = text.replace(/^-/, "");
      return /^\w{1,40}$/.test(by) ? { sort: { by, descending: text.startsWith("-") } } : null;
    },
  },
};

/**
 * The axes of a sweep: those of its parameters, and that of the goal at the end.
 *
 * @type {(sweep: Sweep) => {parameters: Axis[], goal: ReturnType<typeof goalAxis>}}
 */
export const axesOf = memoize(
  (sweep) => [sweep],
  (sweep) => {
    const ranges = Object.entries(sweep.spec.parameters);
    return {
      parameters: ranges.map(([name, range]) => parameterAxis(name, range)),
      goal: { ...goalAxis(configurationsOf(sweep), goalText), name: GOAL },
    };
  },
);

/**
 * The class that colours a configuration by its value.
 *
 * @param {Configuration} configuration
 * @param {{goal: Axis}} axes
 */
export function colourClass({ value }, { goal }) {
  if (value === null) return "goal-none";
  return `goal-${Math.min(Math.floor(goal.share(value) * COLOURS), COLOURS - 1)}`;
}

/**
 * The numbers of the configurations within the filters.
 *
 * @type {(state: SweepsState) => Set<number>}
 */
export const numbersWithin = memoize(
  ({ sweep, filters }) => [sweep, filters],
  ({ sweep, filters }) => {
    if (!sweep) return new Set();
    const { parameters, goal } = axesOf(sweep);
    const limits = [...parameters, goal].flatMap((axis) =>
      filters[axis.name] ? [{ axis, range: filters[axis.name] }] : [],
    );
    const within = configurationsOf(sweep).filter((configuration) =>
      limits.every(({ axis, range: [from, to] }) => {
        const { value: goalValue, parameters: own } = configuration;
        const value = axis.name === GOAL ? goalValue : own[axis.name];
        if (value === null) return false;
        const share = axis.share(value);
        return share >= from && share <= to;
      }),
    );
    return new Set(within.map(({ number }) => number));
  },
);

/** @type {Record<string, (configuration: Configuration) => any>} */
const SORT_VALUES = {
  [GOAL]: ({ value }) => value,
  number: ({ number }) => number,
  update: ({ update }) => update,
  state: configurationState,
};

/**
 * The configurations in the order of the table, without those outside the filters. Those without a
 * value are last.
 *
 * @param {SweepsState} state
 */
export function listedConfigurations(state) {
  const { sweep, sort } = state;
  if (!sweep) return [];
  const { by, descending } = sort;
  const axis = axesOf(sweep).parameters.find(({ name }) => name === by);
  const valueOf =
    SORT_VALUES[by] ??
    ((/** @type {Configuration} */ { parameters }) => axis?.share(parameters[by]) ?? null);
  const within = numbersWithin(state);
  const sign = descending ? -1 : 1;
  return configurationsOf(sweep)
    .filter(({ number }) => within.has(number))
    .toSorted((a, b) => {
      const [x, y] = [valueOf(a), valueOf(b)];
      if (x === null || y === null) return Number(x === null) - Number(y === null);
      return (x < y ? -1 : x > y ? 1 : 0) * sign || a.number - b.number;
    });
}
