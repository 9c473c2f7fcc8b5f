/** The order, the filters and the scale of the wall. Pure functions. */

import { memoize } from "../lib/memoize.js";
import { listedRuns } from "../run-lists/order.js";

/** @typedef {(a: WallRun, b: WallRun) => number} Comparison */

/** Nats per character; Infinity before the first update. @param {WallRun} run */
export const lossOf = ({ smooth_loss: loss, spec }) =>
  loss === null ? Infinity : loss / spec.sequence_length;

const NAMES = new Intl.Collator(undefined, { numeric: true });

/** Equal runs stay newest first. @type {Record<string, Comparison>} */
const COMPARISONS = {
  // Infinity minus Infinity is not a number.
  loss: (a, b) => (lossOf(a) === lossOf(b) ? 0 : lossOf(a) - lossOf(b)),
  speed: (a, b) => b.updates_per_second - a.updates_per_second,
  name: (a, b) => NAMES.compare(a.name, b.name),
};

/** Whether a run belongs to a set: "group:ID", "sweep:ID", or "" for any. */
const isIn = (/** @type {WallRun} */ { group, sweep }, /** @type {string} */ set) =>
  !set || set === `group:${group?.id}` || set === `sweep:${sweep}`;

/**
 * The ids of the runs that match, in order.
 *
 * @type {(state: Choice) => string[]}
 */
export const orderOf = memoize(
  ({ runs, sort, filter, text, cell, corpus, set }) =>
    [runs, sort, filter, text, cell, corpus, set],
  sorted,
);

/** @typedef {"runs" | "sort" | "filter" | "text" | "cell" | "corpus" | "set"} Chosen */
/** @typedef {Pick<WallState, Chosen>} Choice */

/** @param {Choice} state */
function sorted({ runs, sort, filter, text, cell, corpus, set }) {
  const newestFirst = Object.values(runs ?? {})
    .filter(({ removed }) => !removed)
    .sort((a, b) => (a.created_at < b.created_at ? 1 : -1));
  const listed = listedRuns(newestFirst, { text, filter }).filter(
    (run) =>
      (!cell || run.spec.cell === cell) &&
      (!corpus || run.corpus_name === corpus) &&
      isIn(run, set),
  );
  // `listedRuns` puts the states in order.
  if (sort === "state") return listed.map(({ id }) => id);
  const found = new Set(listed);
  const matching = newestFirst.filter((run) => found.has(run));
  const compare = COMPARISONS[sort];
  return (compare ? matching.toSorted(compare) : matching).map(({ id }) => id);
}

const STEP = 0.5; // nats per character

/**
 * The range of the losses of all charts, in nats per character: from the lowest smooth loss of all
 * runs to the highest at the beginning of the curves that are known, on round numbers so that it
 * seldom changes. A curve that diverges leaves its chart at the top.
 *
 * @param {WallRun[]} runs
 * @returns {[number, number]}
 */
export function rangeOf(runs) {
  let [low, high] = [Infinity, 0];
  for (const { best, curve, spec } of runs) {
    if (best !== null) low = Math.min(low, best / spec.sequence_length);
    const first = curve?.smooth.find((loss) => loss !== null);
    high = Math.max(high, (first ?? best ?? 0) / spec.sequence_length);
  }
  if (low > high) return [0, 5];
  const bottom = Math.floor(low / STEP) * STEP;
  return [bottom, Math.max(Math.ceil(high / STEP) * STEP, bottom + STEP)];
}

/**
 * The line and the band of a curve as SVG paths in a box of 100 by 100. The band spans the least
 * and the greatest loss of the updates that each point stands for.
 *
 * @param {WallRun} run
 * @param {[number, number]} range nats per character.
 */
export function pathsOf({ curve, update, spec }, [low, high]) {
  if (!curve || !update) return { line: "", band: "" };
  const x = (/** @type {number} */ i) => (100 * Math.min((i + 1) * curve.bucket, update)) / update;
  const y = (/** @type {number} */ loss) => {
    const share = (loss / spec.sequence_length - low) / (high - low);
    return 100 * (1 - Math.min(Math.max(share, 0), 1));
  };
  const points = (/** @type {(number | null)[]} */ losses) =>
    losses.flatMap((loss, i) => (loss === null ? [] : [`${round(x(i))} ${round(y(loss))}`]));
  const line = points(curve.smooth);
  const band = [...points(curve.high), ...points(curve.low).reverse()];
  return {
    line: line.length ? `M${line.join("L")}` : "",
    band: band.length ? `M${band.join("L")}Z` : "",
  };
}

const round = (/** @type {number} */ value) => Math.round(value * 10) / 10;
