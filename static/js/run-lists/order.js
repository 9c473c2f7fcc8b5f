/** The order and the filters of a list of runs. Pure functions. */

const byPlace = (/** @type {ListedRun} */ a, /** @type {ListedRun} */ b) =>
  (a.queue_position ?? 0) - (b.queue_position ?? 0);

const FIRST = ["running", "queued", "paused", "interrupted"]; // the others have ended

/** @type {Record<string, string[]>} */
const FILTERS = {
  active: ["running", "queued"],
  paused: ["paused", "interrupted"],
  ended: ["finished", "stopped", "failed"],
};

/**
 * The runs that match, in the order of their states: training, waiting, paused, ended. Those that
 * wait are in the order in which they will train, the others newest first.
 *
 * @template {ListedRun} T
 * @param {T[]} runs newest first.
 * @param {{text: string, filter: string}} wanted words to find in the name, the corpus or the cell,
 *   and one of FILTERS, or any other text for all runs.
 * @returns {T[]}
 */
export function listedRuns(runs, { text, filter }) {
  const words = text.toLocaleLowerCase().split(/\s+/u).filter(Boolean);
  const states = FILTERS[filter];
  const matching = runs.filter((run) => {
    if (states && !states.includes(run.state)) return false;
    if (!words.length) return true;
    const about = `${run.name} ${run.corpus_name} ${run.spec.cell}`.toLocaleLowerCase();
    return words.every((word) => about.includes(word));
  });
  const inState = (/** @type {string} */ wantedState) => {
    const found = matching.filter(({ state }) => state === wantedState);
    return wantedState === "queued" ? found.toSorted(byPlace) : found;
  };
  const ended = matching.filter(({ state }) => !FIRST.includes(state));
  return [...FIRST.flatMap(inState), ...ended];
}
