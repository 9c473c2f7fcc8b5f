/** The differences between groups in sentences. Pure functions. */

import * as format from "../lib/format.js";

const LEAST_SEEDS = 3;

/** @typedef {Differences["differences"][number]} Difference */

/**
 * A difference in a sentence, and whether it is one.
 *
 * @param {Difference} found
 * @param {string[]} names of both groups.
 * @param {{factor: number, unit: string}} shown how many units a nat per character is.
 * @returns {{text: string, different: boolean}}
 */
export function differenceSentence(found, [a, b], { factor, unit }) {
  const { difference, margin, update, reason, runs, different } = found;
  const pair = `“${a}” and “${b}”`;
  if (difference === null || margin === null) {
    const reasons = {
      "other text": `${pair} learn from different texts: their losses cannot be compared.`,
      "not begun": `${pair} cannot be compared yet: a run has no such loss.`,
    };
    const few =
      `${pair}: a comparison needs ${LEAST_SEEDS} seeds each; ` +
      `there are ${format.count(runs[0])} and ${format.count(runs[1])}.`;
    const why = reason === null || reason === "too few" ? few : reasons[reason];
    return { text: `${why}${leftOut(found, [a, b])}`, different: false };
  }
  const amount = `${digits(Math.abs(difference) * factor)} ± ${digits(margin * factor)} ${unit}`;
  const seeds =
    runs[0] === runs[1]
      ? `${format.count(runs[0])} seeds each`
      : `${format.count(runs[0])} and ${format.count(runs[1])} seeds`;
  const where = `95% interval; ${seeds}, up to update ${format.count(update ?? 0)}`;
  const [low, high] = difference < 0 ? [a, b] : [b, a];
  const text = different
    ? `“${low}” is lower than “${high}” by ${amount} (${where}).`
    : `No difference shown between ${pair}: ${amount} (${where}).`;
  return { text: `${text}${leftOut(found, [a, b])}`, different };
}

/** Enough digits for the intervals of losses. @param {number} value */
const digits = (value) => value.toFixed(value >= 10 ? 1 : 3);

/**
 * @param {Difference} difference
 * @param {string[]} names
 */
function leftOut({ left_out: counts }, names) {
  const parts = names.flatMap((name, i) =>
    counts[i] ? [`${format.plural(counts[i], "run", "runs")} of “${name}”`] : [],
  );
  return parts.length ? ` Not counted, since failed or diverged: ${parts.join(", ")}.` : "";
}

/** What holds for all sentences. @param {number} count @param {boolean} training */
export function differencesNote(count, training) {
  const parts = [
    "Each run counts with its lowest loss up to the last update that all have reached.",
    ...(count > 1
      ? [`The ${count} intervals are widened, so that all together hold with 95%.`]
      : []),
    ...(training ? ["Provisional: some runs still train."] : []),
  ];
  return parts.join(" ");
}
