/** What the page says about a sweep and its parts. */

import { rooted } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { FIELDS, settingText } from "../spec/run-spec.js";

const SIGNIFICANT = 3;

/**
 * The name of a parameter: "learning rate".
 *
 * @param {string} name
 */
export function parameterLabel(name) {
  const label = FIELDS[name]?.label ?? name;
  return `${label[0].toLowerCase()}${label.slice(1)}`;
}

/**
 * The value of a parameter: 0.0316, 100, lstm.
 *
 * @param {string} name
 * @param {any} value
 */
export function valueText(name, value) {
  const isExact = typeof value !== "number" || Number.isInteger(value);
  const shown = isExact ? value : Number(value.toPrecision(SIGNIFICANT));
  return FIELDS[name] ? settingText(name, shown) : String(shown);
}

/**
 * The values of a configuration in one line: "learning rate 0.0316, hidden size 100".
 *
 * @param {Record<string, any>} parameters
 */
export const parametersText = (parameters) =>
  Object.entries(parameters)
    .map(([name, value]) => `${parameterLabel(name)} ${valueText(name, value)}`)
    .join(", ");

/**
 * The range of a parameter: "0.001 to 1", or its values.
 *
 * @param {string} name
 * @param {SweepRange} range
 */
export function rangeText(name, { values, low, high }) {
  if (values) return values.map((value) => valueText(name, value)).join(", ");
  return `${valueText(name, low)} to ${valueText(name, high)}`;
}

/** @type {Record<string, string>} */
const GOALS = { smooth_loss: "smooth loss", validation_loss: "validation loss" };

/** The goal of a sweep in words. @param {Sweep} sweep */
export const goalLabel = ({ spec }) => GOALS[spec.goal] ?? spec.goal;

/** The address that shows a run. @param {string | null} run its id; null if it was deleted. */
export const watchUrl = (run) => (run === null ? null : rooted(`/?run=${encodeURIComponent(run)}`));

/** A value of the goal: 51.23, 2.034. @param {number | null} value */
export const goalText = (value) =>
  value !== null && Math.abs(value) < 10 ? value.toFixed(3) : format.fine(value);

/**
 * "51.23 ± 0.41" over several seeds.
 *
 * @param {Configuration} configuration
 */
export function valueWithDeviation({ value, deviation }) {
  const text = goalText(value);
  return deviation === null ? text : `${text} ± ${goalText(deviation)}`;
}

/** @type {Record<string, string>} */
const STATES = { running: "running", paused: "paused", finished: "finished", stopped: "stopped" };

/** The state of a sweep. @param {string} state */
export const sweepState = (state) => STATES[state] ?? state;

/**
 * The state of a configuration.
 *
 * @param {Configuration} configuration
 */
export const configurationState = ({ state, early }) =>
  early && state === "stopped" ? "stopped early" : format.stateLabel(state, true);

/** The classes of what shows a configuration that was stopped early, or still trains. */
export const stageClass = (/** @type {Configuration} */ { early, ended }) =>
  early ? " is-early" : ended ? "" : " is-live";
