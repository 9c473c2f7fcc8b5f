/** The settings in which runs differ, and those that they share. Pure functions. */

import * as format from "../lib/format.js";
import { columnOf, FIELDS, namesInPhrase, phraseOf, valueText } from "../spec/run-spec.js";

/**
 * A field of the spec, or a value computed from the spec.
 *
 * @typedef {Object} Field
 * @property {string} key
 * @property {string} label
 * @property {(run: Run) => any} value runs are compared and sorted by it.
 * @property {(run: Run) => string} text the content of a table cell.
 * @property {(run: Run) => string} phrase the setting within a sentence; empty if it is left out.
 * @property {boolean} figure whether it is aligned like a number.
 * @property {string | null} [unit]
 */

/**
 * @param {string} name of a field with a column.
 * @returns {Field}
 */
function specField(name) {
  const { control } = FIELDS[name];
  return {
    key: name,
    label: columnOf(name).label,
    value: ({ spec }) => sortValue(name, spec),
    text: ({ spec }) => valueText(name, spec),
    phrase: ({ spec }) => phraseOf(name, spec),
    figure: control !== "words",
    unit: columnOf(name).unit,
  };
}

/**
 * The value by which a column is sorted. A number that is null means no limit, so it is the
 * greatest.
 *
 * @param {string} name
 * @param {RunSpec} spec
 */
function sortValue(name, spec) {
  const value = /** @type {Record<string, any>} */ (spec)[name];
  const { control } = FIELDS[name];
  if (value === null && control === "number") return Infinity;
  const isText = namesInPhrase(columnOf(name)).length > 1 || typeof value === "object";
  return isText ? valueText(name, spec) : value;
}

/**
 * The name of each run's text; those of one name are told apart by their size, or by their id.
 *
 * @param {Run[]} runs
 * @returns {Partial<Field>}
 */
function corpusField(runs) {
  const wordings = [
    (/** @type {Run} */ run) => run.corpus_name,
    (/** @type {Run} */ run) =>
      `${run.corpus_name} (${format.count(run.corpus_characters)} characters)`,
    (/** @type {Run} */ run) => `${run.corpus_name} (${run.corpus})`,
  ];
  const text = (/** @type {Run} */ run) => {
    const others = runs.filter(({ corpus }) => corpus !== run.corpus);
    const unique = wordings.find((wording) =>
      others.every((other) => wording(other) !== wording(run)),
    );
    return (unique ?? wordings[0])(run);
  };
  // The corpus in the spec is an id.
  return { value: text, text, phrase: text, figure: false };
}

/**
 * @param {boolean} schedule whether the fields of the schedule are meant, or all others.
 * @returns {Field[]}
 */
const specFields = (schedule) =>
  Object.keys(FIELDS)
    .filter((name) => FIELDS[name].column?.schedule === schedule)
    .map(specField);

/** @type {Field} */
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

/** The fields of the schedule do not affect learning: shown last, and only if they differ. */
const SECONDARY = specFields(true);

/**
 * @param {Run[]} runs
 * @returns {{fields: Field[], secondary: Field[], shared: string}} the fields in which the runs
 *   differ, the fields of the schedule in which they differ, and a sentence with the settings that
 *   they share.
 */
export function specDifferences(runs) {
  /** @param {Field} field */
  const differs = ({ value }) => runs.some((run) => value(run) !== value(runs[0]));
  const corpus = corpusField(runs);
  const primary = PRIMARY.map((field) =>
    field.key === "corpus" ? { ...field, ...corpus } : field,
  );
  const same = primary.filter((field) => runs.length && !differs(field));
  const parts = same.map(({ phrase }) => phrase(runs[0])).filter(Boolean);
  const shared = parts.length ? `${subject(runs.length)}: ${parts.join(", ")}.` : "";
  return { fields: primary.filter(differs), secondary: SECONDARY.filter(differs), shared };
}

/** @param {number} count */
const subject = (count) => ["It has", "Both have"][count - 1] ?? `All ${count} have`;
