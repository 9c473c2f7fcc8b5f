/** What tells apart runs with the same name. Pure functions. */

import * as format from "../lib/format.js";
import { memoize } from "../lib/memoize.js";
import { networkSummary } from "../lib/network-summary.js";

const SHORT_ID = 6; // digits

/**
 * What is added to the name of a run: its network, and more where that is not enough.
 *
 * @typedef {{network: string, more: string}} Distinction
 */

/** @type {((run: ListedRun) => string)[]} */
const MORE = [
  ({ spec }) => `seed ${spec.seed}`,
  ({ created_at: at }) => format.dayAndTime(at),
  ({ id }) => id.slice(0, SHORT_ID),
];

/**
 * What distinguishes each run from the others with its name; runs with a name of their own are left
 * out. The network comes first, then the seed, the time of creation and the id, as far as needed.
 *
 * @type {(runs: ListedRun[]) => Map<string, Distinction>}
 */
export const distinctions = memoize(
  (runs) => [runs],
  (runs) => {
    /** @type {Map<string, ListedRun[]>} */
    const named = new Map();
    for (const run of runs) {
      const same = named.get(run.name);
      if (same) same.push(run);
      else named.set(run.name, [run]);
    }
    const groups = [...named.values()].filter(({ length }) => length > 1);
    return new Map(groups.flatMap(distinguished));
  },
);

/**
 * @param {ListedRun[]} runs with one name.
 * @returns {[string, Distinction][]} by id.
 */
function distinguished(runs) {
  const networks = runs.map(({ spec }) => networkSummary(spec));
  /** @type {string[][]} */
  const parts = runs.map(() => []);
  const labels = () => runs.map((_, i) => [networks[i], ...parts[i]].join());
  for (const describe of MORE) {
    if (isDistinct(labels())) break;
    const words = runs.map(describe);
    if (new Set(words).size > 1) words.forEach((each, i) => parts[i].push(each));
  }
  const differ = new Set(networks).size > 1;
  return runs.map(({ id }, i) => [
    id,
    { network: differ ? networks[i] : "", more: parts[i].join(", ") },
  ]);
}

/** @param {string[]} labels */
const isDistinct = (labels) => new Set(labels).size === labels.length;

/**
 * The name of a run, with what distinguishes it from others with the same name.
 *
 * @param {ListedRun} run
 * @param {Map<string, Distinction>} known see `distinctions`.
 */
export function labelOf({ id, name }, known) {
  const { network = "", more = "" } = known.get(id) ?? {};
  const words = [network, more].filter(Boolean).join(", ");
  return words ? `${name} (${words})` : name;
}
