/** The configurations of a sweep: its runs that have the same values of the parameters. */

import { memoize } from "../lib/memoize.js";

/** The states of a configuration's runs, the one that is shown first. */
const STATES = ["running", "paused", "queued", "interrupted", "failed", "stopped", "finished"];

/**
 * The configurations in the order in which they were tried.
 *
 * @type {(sweep: Sweep) => Configuration[]}
 */
export const configurationsOf = memoize(
  (sweep) => [sweep],
  (sweep) => {
    /** @type {Map<number, SweepRun[]>} */
    const groups = new Map();
    for (const run of sweep.runs) {
      const group = groups.get(run.configuration);
      if (group) group.push(run);
      else groups.set(run.configuration, [run]);
    }
    return [...groups].map(([number, runs]) => configuration(number, runs));
  },
);

/**
 * @param {number} number
 * @param {SweepRun[]} runs
 * @returns {Configuration}
 */
function configuration(number, runs) {
  const values = runs.flatMap(({ value }) => (value === null ? [] : [value]));
  const mean = values.length ? sum(values) / values.length : null;
  const [best] = runs
    .filter(({ run }) => run !== null)
    .toSorted((a, b) => (a.value ?? Infinity) - (b.value ?? Infinity));
  return {
    number,
    parameters: runs[0].parameters,
    runs,
    value: mean,
    deviation: mean === null ? null : deviation(values, mean),
    update: Math.round(sum(runs.map(({ update }) => update)) / runs.length),
    state: STATES.find((state) => runs.some((run) => run.state === state)) ?? runs[0].state,
    early: runs.some((run) => run.stopped_early),
    ended: runs.every((run) => run.ended),
    watch: best?.run ?? null,
  };
}

/**
 * The configuration with the lowest value of those that made all updates, or may still do so; null
 * if there is none.
 *
 * @param {Sweep} sweep
 */
export function bestConfiguration(sweep) {
  const all = configurationsOf(sweep);
  const complete = all.find(({ number }) => number === sweep.best?.configuration) ?? null;
  const isCandidate = (/** @type {Configuration} */ { ended, early, runs }) =>
    !ended &&
    !early &&
    runs.length === sweep.spec.seeds &&
    runs.every(({ value }) => value !== null);
  return all
    .filter(isCandidate)
    .reduce((best, each) => (valueOf(each) < valueOf(best) ? each : best), complete);
}

const valueOf = (/** @type {Configuration | null} */ of) => of?.value ?? Infinity;

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);

/**
 * The standard deviation of a sample; null for fewer than two values.
 *
 * @param {number[]} values
 * @param {number} mean
 */
function deviation(values, mean) {
  if (values.length < 2) return null;
  return Math.sqrt(sum(values.map((value) => (value - mean) ** 2)) / (values.length - 1));
}

/**
 * The updates that early stopping has saved, as a share of all planned ones; null without it.
 *
 * @param {Sweep} sweep
 */
export function savedShare({ runs, stopped_early: early, planned, planned_updates: updates }) {
  if (!early || !updates) return null;
  const each = updates / planned;
  const stopped = runs.filter((run) => run.stopped_early);
  return sum(stopped.map(({ update }) => Math.max(each - update, 0))) / updates;
}
