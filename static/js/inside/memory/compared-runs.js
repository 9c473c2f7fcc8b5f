/** The runs whose memory is compared with that of the run in view. Pure functions. */

/** How many runs are compared with the one in view. */
export const COMPARED = 2;

/**
 * The ids of the compared runs, an empty text where there is none: those that were chosen, or else
 * the newest trained run of each other cell on the same corpus.
 *
 * @param {InsideState} state
 * @returns {string[]}
 */
export function comparedIds({ compared, runs, runId, run }) {
  const listed = (runs ?? []).filter(({ id }) => id !== runId);
  if (compared) {
    return slots(compared.map((id) => (listed.some((other) => other.id === id) ? id : "")));
  }
  const own = run ?? (runs ?? []).find(({ id }) => id === runId);
  if (!own) return slots([]);
  const seen = new Set([own.spec.cell]);
  const newest = listed.filter(({ corpus, update, spec: { cell } }) => {
    if (corpus !== own.corpus || !update || seen.has(cell)) return false;
    seen.add(cell);
    return true;
  });
  return slots(newest.map(({ id }) => id));
}

/** @param {string[]} ids */
const slots = (ids) => Array.from({ length: COMPARED }, (_, i) => ids[i] ?? "");
