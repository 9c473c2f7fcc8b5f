/** Runs that differ in their seeds alone, as one entry of a list. Pure functions. */

import * as format from "../lib/format.js";

/**
 * An entry of a list: a run, or the members of a group.
 *
 * @typedef {{run: Run, group: null} | {run: null, group: ListedGroup}} Entry
 */

/** @typedef {{id: string, name: string, members: Run[]}} ListedGroup */

/**
 * The members of a group, by their seeds.
 *
 * @param {string} group
 * @param {Run[]} runs
 */
export const membersOf = (group, runs) =>
  runs.filter((run) => run.group?.id === group).toSorted(bySeed);

const bySeed = (/** @type {Run} */ a, /** @type {Run} */ b) => a.spec.seed - b.spec.seed;

/**
 * The entries of a list: several members of a group are one entry, at the place of the first.
 *
 * @param {Run[]} runs in the order of the list.
 * @returns {Entry[]}
 */
export function folded(runs) {
  /** @type {Map<string, ListedGroup>} */
  const groups = new Map();
  for (const run of runs) {
    if (!run.group) continue;
    const { id, name } = run.group;
    const known = groups.get(id);
    if (known) known.members.push(run);
    else groups.set(id, { id, name, members: [run] });
  }
  /** @type {Entry[]} */
  const entries = [];
  for (const { members } of groups.values()) members.sort(bySeed);
  const listed = new Set();
  for (const run of runs) {
    const group = run.group ? groups.get(run.group.id) : undefined;
    if (!group || group.members.length < 2) entries.push({ run, group: null });
    else if (!listed.has(group)) entries.push({ run: null, group });
    if (group) listed.add(group);
  }
  return entries;
}

/** "“Baseline” × 5 seeds" without the quotation marks. @param {ListedGroup} group */
export const groupLabel = ({ name, members }) => `${name} × ${members.length} seeds`;

/**
 * "5 runs: 3 finished, 2 waiting"
 *
 * @param {Run[]} members
 */
export function statesSentence(members) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  for (const { state, diverged_since: diverged } of members) {
    const word = diverged === null ? format.stateLabel(state) : "diverged";
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const runs = format.plural(members.length, "run", "runs");
  if (counts.size === 1) {
    const [word] = counts.keys();
    return members.length === 1 ? `${runs}, ${word}` : `${runs}, all ${word}`;
  }
  return `${runs}: ${[...counts].map(([word, count]) => `${count} ${word}`).join(", ")}`;
}
