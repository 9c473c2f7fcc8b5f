/** A group of runs as one run, with the means of its members. Pure functions. */

import { statesSentence } from "../run-lists/groups.js";

/**
 * Some numbers by their mean and standard deviation (n - 1); the deviation of one number is null.
 *
 * @typedef {{mean: number, deviation: number | null, count: number}} Spread
 */

/**
 * @param {(number | null | undefined)[]} values missing ones are left out.
 * @returns {Spread | null} null if all are missing.
 */
export function spreadOf(values) {
  const known = values.flatMap((value) =>
    typeof value === "number" && Number.isFinite(value) ? [value] : [],
  );
  const count = known.length;
  if (!count) return null;
  const mean = known.reduce((sum, value) => sum + value, 0) / count;
  const squares = known.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, deviation: count > 1 ? Math.sqrt(squares / (count - 1)) : null, count };
}

const FIRST = ["running", "queued", "paused", "interrupted"];

/**
 * The members as one run: where they differ, the mean, or the state that comes first.
 *
 * @param {string} id of the group.
 * @param {string} name
 * @param {Run[]} members at least one.
 * @returns {Run}
 */
export function groupRun(id, name, members) {
  const [first] = members;
  const bests = members.flatMap(({ best }) => (best ? [best] : []));
  const best = spreadOf(bests.map(({ smooth_loss: loss }) => loss));
  const at = spreadOf(bests.map(({ update }) => update));
  const speeds = members.map(({ updates_per_second: speed }) => speed || null);
  const seeds = members.map(({ spec }) => spec.seed);
  const [least, greatest] = [Math.min(...seeds), Math.max(...seeds)];
  return {
    ...first,
    id,
    name: `${name} × ${members.length} seeds`,
    state: FIRST.map((state) => members.find((run) => run.state === state)).find(Boolean)?.state ??
      first.state,
    // Shown as it is; a group has no single seed.
    spec: { ...first.spec, seed: /** @type {any} */ (`${least} to ${greatest}`) },
    update: Math.max(...members.map(({ update }) => update)),
    best: best && at && { update: Math.round(at.mean), smooth_loss: best.mean },
    updates_per_second: spreadOf(speeds)?.mean ?? 0,
    diverged_since: members.every((run) => run.diverged_since !== null)
      ? first.diverged_since
      : null,
    error: null,
    forked_from: null,
    given_weights: null,
    own_losses: null,
    test: null,
  };
}

/** "3 finished, 2 waiting" @param {Run[]} members */
export const groupState = (members) => statesSentence(members).replace(/^[^:,]*[:,] /, "");
