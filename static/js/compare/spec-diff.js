/** The differences between the specs of runs, and what they have in common. Pure functions. */

import * as format from "../lib/format.js";
import { FIELDS, phraseOf, valueText } from "../runs/run-spec.js";

/**
 * A field of the spec, or what follows from it.
 *
 * @typedef {Object} Field
 * @property {string} key
 * @property {string} label
 * @property {(run: Object) => number | string} value by which runs differ and are sorted.
 * @property {(run: Object) => string} text as the table shows it.
 * @property {(run: Object) => string} phrase as a sentence names it; empty: it does not.
 * @property {boolean} figure whether it is aligned as numbers are.
 */

/** @returns {Field} */
function specField(name) {
  const { column, control } = FIELDS[name];
  return {
    key: name,
    label: column.label,
    value: ({ spec }) => sortValue(name, spec),
    text: ({ spec }) => valueText(name, spec),
    phrase: ({ spec }) => phraseOf(name, spec),
    figure: control !== "words",
  };
}

/** A number that is null has no limit, and is sorted as the greatest. */
function sortValue(name, spec) {
  const value = spec[name];
  if (value === null && FIELDS[name].control === "number") return Infinity;
  const together = FIELDS[name].column.phrase.split("{").length > 2;
  return together || typeof value === "object" ? valueText(name, spec) : value;
}

/** @type {Object<string, Partial<Field>>} */
const OVERRIDES = {
  // The spec has the corpus's id.
  corpus: Object.fromEntries(
    ["value", "text", "phrase"].map((key) => [key, ({ corpus_name: name }) => name]),
  ),
};

const specFields = (schedule) =>
  Object.keys(FIELDS)
    .filter((name) => FIELDS[name].column?.schedule === schedule)
    .map((name) => ({ ...specField(name), ...OVERRIDES[name] }));

const PARAMETERS = {
  key: "parameters",
  label: "parameters",
  value: ({ parameters }) => parameters,
  text: ({ parameters }) => format.count(parameters),
  phrase: ({ parameters }) => `${format.count(parameters)} parameters`,
  figure: true,
};

/** @type {Field[]} */
const PRIMARY = [...specFields(false), PARAMETERS];

/** When things happen, which does not change what is learned: shown last, where it differs. */
const SECONDARY = specFields(true);

/**
 * @param {Object[]} runs
 * @returns {{fields: Field[], secondary: Field[], shared: string}} the fields in which they differ,
 *   those of less weight, and a sentence with what they share.
 */
export function specDifferences(runs) {
  const differs = ({ value }) => runs.some((run) => value(run) !== value(runs[0]));
  const same = PRIMARY.filter((field) => runs.length && !differs(field));
  const parts = same.map(({ phrase }) => phrase(runs[0])).filter(Boolean);
  const shared = parts.length ? `${subject(runs.length)}: ${parts.join(", ")}.` : "";
  return { fields: PRIMARY.filter(differs), secondary: SECONDARY.filter(differs), shared };
}

const subject = (count) => ["It has", "Both have"][count - 1] ?? `All ${count} have`;
