/**
 * The parameters of a sweep: fields of a run's spec that have several values or a range. Pure
 * functions.
 *
 * In the URL a sweep is a text to be read and edited by hand:
 * `vary=learning_rate:0.001..1..log,hidden_size:50;100;200,sampler:tpe,runs:30`.
 */

import { FIELDS } from "./run-spec.js";

/** The options of a sweep and their defaults. @type {Record<string, any>} */
export const DEFAULT_OPTIONS = {
  sampler: null, // chosen by the parameters
  runs: 20,
  seeds: 1,
  goal: "smooth_loss",
  stop_early: false,
};

/** The greatest number of configurations of a sweep. */
const MAX_RUNS = 1000;

/** @param {string} name */
const isInteger = (name) => FIELDS[name].schemas.some(({ type }) => type === "integer");

/**
 * The greatest and the least value of a number.
 *
 * @param {string} name
 */
function limitsOf(name) {
  const [schema] = FIELDS[name].schemas;
  return {
    least: schema.minimum ?? schema.exclusiveMinimum ?? -Infinity,
    most: schema.maximum ?? schema.exclusiveMaximum ?? Infinity,
  };
}

const DIGITS = 3;
const rounded = (/** @type {number} */ value) => Number(value.toPrecision(DIGITS));

/**
 * What a field may be in a sweep, to begin with: all choices, a half to twice an integer, a tenth
 * to ten times a number, or a half of a share.
 *
 * @param {string} name
 * @param {any} value of the field now.
 * @returns {SweepRange}
 */
export function suggestedRange(name, value) {
  const { control, choices } = FIELDS[name];
  if (control === "select") return { values: [...choices] };
  const { least, most } = limitsOf(name);
  const now = typeof value === "number" ? value : 0;
  if (isInteger(name)) {
    const near = [Math.floor(now / 2), now, now * 2, now * 4];
    const from = Math.max(least, 1);
    const possible = [...new Set(near)].filter((each) => each >= from && each <= most);
    return { values: possible.slice(0, 3) };
  }
  if (most > 1 && now > 0) {
    return { low: rounded(now / 10), high: Math.min(rounded(now * 10), most), log: true };
  }
  const low = now > 0.5 ? rounded(now - 0.5) : Math.max(least, 0);
  return { low, high: rounded(low + 0.5), log: false };
}

/**
 * The number that a text is; the text itself if it is none, which the server then refuses.
 *
 * @param {string} text
 */
export function numberIn(text) {
  const trimmed = text.trim();
  return trimmed === "" || Number.isNaN(Number(trimmed)) ? trimmed : Number(trimmed);
}

/** @param {string} text numbers separated by commas or semicolons. */
export const numbersIn = (text) =>
  text
    .split(/[,;]/)
    .filter((each) => each.trim())
    .map(numberIn);

/**
 * The number of configurations of a sweep.
 *
 * @param {Record<string, SweepRange>} parameters
 * @param {string} sampler
 * @param {number} runs
 */
export function configurationCount(parameters, sampler, runs) {
  const size = gridSize(parameters);
  return sampler === "grid" ? Math.min(size, MAX_RUNS) : Math.min(runs, size);
}

/** The number of combinations; infinite with a range. @param {Record<string, SweepRange>} all */
export const gridSize = (all) =>
  Object.values(all).reduce((size, { values }) => size * (values?.length ?? Infinity), 1);

/** @param {SweepRange} range */
const rangeText = ({ values, low, high, log }) =>
  values ? values.join(";") : [low, high, ...(log ? ["log"] : [])].join("..");

/**
 * @param {string} name
 * @param {string} text
 * @returns {SweepRange}
 */
function rangeIn(name, text) {
  if (text.includes("..")) {
    const [low, high, log] = text.split("..");
    return { low: Number(low), high: Number(high), log: log === "log" };
  }
  const { control, choices } = FIELDS[name];
  const words = text.split(";").map((each) => each.trim());
  if (control !== "select") return { values: words.filter(Boolean).map(numberIn) };
  return { values: choices.filter((choice) => words.includes(String(choice))) };
}

/**
 * The text of a sweep in the URL.
 *
 * @param {Record<string, SweepRange>} parameters
 * @param {Record<string, any>} options
 */
export function formatSweep(parameters, options) {
  const ranges = Object.entries(parameters).map(([name, range]) => `${name}:${rangeText(range)}`);
  const others = Object.entries(options)
    .filter(([name, value]) => value !== DEFAULT_OPTIONS[name])
    .map(([name, value]) => `${name}:${value}`);
  return [...ranges, ...others].join(",");
}

/**
 * The sweep in a text. What is not known is left out; the form shows what was found.
 *
 * @param {string} text
 * @param {string[]} names of the fields that can vary.
 * @returns {{parameters: Record<string, SweepRange>, options: Record<string, any>}}
 */
export function parseSweep(text, names) {
  /** @type {Record<string, SweepRange>} */
  const parameters = {};
  const options = { ...DEFAULT_OPTIONS };
  for (const part of text.split(",")) {
    const colon = part.indexOf(":");
    const [name, value] = [part.slice(0, colon).trim(), part.slice(colon + 1).trim()];
    if (names.includes(name)) parameters[name] = rangeIn(name, value);
    else if (name === "stop_early") options[name] = value === "true";
    else if (["runs", "seeds"].includes(name)) options[name] = Number(value) || options[name];
    else if (["sampler", "goal"].includes(name)) options[name] = value;
  }
  return { parameters, options };
}
