/** The axes of the charts of a sweep: one for each parameter, and one for the goal. */

import { valueText } from "./words.js";

/** @typedef {{share: number, text: string}} Tick */

/**
 * @typedef {Object} Axis
 * @property {string} name
 * @property {"linear" | "log" | "values"} kind `values`: one place for each value, in order.
 * @property {(value: any) => number} share the place of a value, from 0 to 1.
 * @property {(share: number) => string} text of the value at a place.
 * @property {number} step by which a key moves along the axis, as a share.
 * @property {Tick[]} ticks
 */

const KEY_STEPS = 20;
const MAX_TICKS = 5;
const MAX_PLACES = 12; // more values than this have no label each

/**
 * The axis of a parameter.
 *
 * @param {string} name
 * @param {SweepRange} range
 * @returns {Axis}
 */
export function parameterAxis(name, range) {
  if (range.values) return valuesAxis(name, range.values);
  const { low = 0, high = 1, log } = range;
  return numberAxis(name, low, high, Boolean(log), (value) => valueText(name, value));
}

/**
 * @param {string} name
 * @param {any[]} given
 * @returns {Axis}
 */
function valuesAxis(name, given) {
  const numeric = given.every((value) => typeof value === "number");
  const values = numeric ? given.toSorted((a, b) => a - b) : given;
  const place = (/** @type {number} */ i) => (i + 0.5) / values.length;
  const at = (/** @type {number} */ share) =>
    Math.min(Math.max(Math.floor(share * values.length), 0), values.length - 1);
  const every = Math.ceil(values.length / MAX_PLACES);
  return {
    name,
    kind: "values",
    share: (value) => place(values.indexOf(value)),
    text: (share) => valueText(name, values[at(share)]),
    step: 1 / values.length,
    ticks: values
      .map((value, i) => ({ share: place(i), text: valueText(name, value) }))
      .filter((_, i) => i % every === 0),
  };
}

/**
 * @param {string} name
 * @param {number} low
 * @param {number} high
 * @param {boolean} log
 * @param {(value: number) => string} text
 * @returns {Axis}
 */
function numberAxis(name, low, high, log, text) {
  const of = log ? Math.log10 : (/** @type {number} */ value) => value;
  const back = log ? (/** @type {number} */ value) => 10 ** value : of;
  const span = of(high) - of(low) || 1;
  const share = (/** @type {number} */ value) => (of(value) - of(low)) / span;
  const ticks = (log ? logTicks : linearTicks)(low, high);
  return {
    name,
    kind: log ? "log" : "linear",
    share,
    text: (at) => text(back(of(low) + at * span)),
    step: 1 / KEY_STEPS,
    ticks: ticks.map((value) => ({ share: share(value), text: text(value) })),
  };
}

const NICE = [1, 2, 5, 10];

/**
 * The greatest step of 1, 2 or 5 times a power of ten with at most MAX_TICKS ticks in a span.
 *
 * @param {number} span
 */
function niceStep(span) {
  const power = 10 ** Math.floor(Math.log10(span / MAX_TICKS));
  return power * (NICE.find((each) => span / (each * power) <= MAX_TICKS) ?? 10);
}

/**
 * @param {number} low
 * @param {number} high
 */
function linearTicks(low, high) {
  if (!(high > low)) return [low];
  const step = niceStep(high - low);
  const first = Math.ceil(low / step - 1e-9);
  const count = Math.floor(high / step + 1e-9) - first + 1;
  return Array.from({ length: count }, (_, i) => Number(((first + i) * step).toPrecision(12)));
}

/**
 * @param {number} low
 * @param {number} high
 */
function logTicks(low, high) {
  const decades = Math.log10(high / low);
  const steps = decades >= 3 ? [1] : decades >= 1.3 ? [1, 3] : [1, 2, 5];
  const from = Math.floor(Math.log10(low));
  const to = Math.ceil(Math.log10(high));
  const all = Array.from({ length: to - from + 1 }, (_, i) => i + from).flatMap((power) =>
    steps.map((step) => Number(`${step}e${power}`)),
  );
  const within = all.filter((value) => value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
  const every = Math.ceil(within.length / (MAX_TICKS + 2));
  return within.length ? within.filter((_, i) => i % every === 0) : [low, high];
}

const FEW = 3;

const ascending = (/** @type {number[]} */ values) => values.sort((a, b) => a - b);

/**
 * @param {number[]} sorted
 * @param {number} share
 */
const quantile = (sorted, share) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;

/**
 * The axis of the goal. It is fitted to the configurations that made all updates without their
 * outliers, and to three quarters of all, so that those that learned nothing do not squash the
 * others; they are drawn at its upper end.
 *
 * @param {Configuration[]} configurations
 * @param {(value: number) => string} text
 * @returns {Axis & {high: number, beyond: boolean}} `high` is its upper end, `beyond` whether a
 *   value is above.
 */
export function goalAxis(configurations, text) {
  const found = configurations.flatMap(({ value, early, ended }) =>
    value === null ? [] : [{ value, isComplete: ended && !early }],
  );
  const complete = found.filter(({ isComplete }) => isComplete);
  const fitted = complete.length >= FEW ? complete : found;
  const sorted = ascending(fitted.map(({ value }) => value));
  const all = ascending(found.map(({ value }) => value));
  const least = all[0] ?? 0;
  const greatest = all.at(-1) ?? 1;
  const upper = quantile(sorted, 0.75);
  const fence = Math.max(upper + 1.5 * (upper - quantile(sorted, 0.25)), quantile(all, 0.75));
  const most = greatest > fence && fence > least ? fence : greatest;
  const step = niceStep(most - least || Math.abs(least) || 1) / 2;
  const low = Math.floor(least / step - 1e-9) * step;
  const high = Math.max(Math.ceil(most / step + 1e-9) * step, low + step);
  const axis = numberAxis("", low, high, false, text);
  const share = (/** @type {number} */ value) => Math.min(Math.max(axis.share(value), 0), 1);
  const shown = sorted.length ? linearTicks(low, high) : [];
  const ticks = shown.map((value) => ({ share: share(value), text: `${value}` }));
  return { ...axis, share, ticks, high, beyond: found.some(({ value }) => value > high) };
}
