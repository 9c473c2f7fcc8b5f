/**
 * A run's spec as `server/spec/run_spec.py` describes it, presets, and specs in words.
 *
 * The server renders the description into each page that has a form for runs or compares them.
 */

import { find } from "../lib/dom.js";
import * as format from "../lib/format.js";

/**
 * @typedef {Object} SpecField
 * @property {string} name
 * @property {"select" | "number" | "text" | "words" | "checkbox"} control
 * @property {(string | number)[]} choices the values of a select
 * @property {"plain" | "count" | "share" | "seconds" | "pace" | "words"} display
 * @property {any} default
 * @property {{field: string, defaults: Object<string, number>} | null} default_by
 * @property {{label: string, phrase: string, option_of: string | null} | null} null
 * @property {{label: string, phrase: string, singular: string | null, unused: number | null,
 *   schedule: boolean} | null} column
 */

/** @typedef {{main: string[], folded: string[]}} FormLayout the names of a form's fields */

/**
 * @type {{
 *   fields: SpecField[],
 *   forms: {new: FormLayout, fork: FormLayout},
 *   cells: Object<string, {gates: number, extra_parameters: number}>,
 * }}
 */
const description = JSON.parse(find("#run-spec").textContent);

/** The description of each field by name, in the spec's order. */
export const FIELDS = Object.fromEntries(description.fields.map((field) => [field.name, field]));

/** The layouts of the forms. */
export const FORMS = description.forms;

export const DEFAULT_SPEC = Object.fromEntries(
  Object.entries(FIELDS).map(([name, field]) => [name, field.default]),
);

// A preset leaves the name and the seed as they are.
const { name: _name, seed: _seed, ...ASSIGNMENT } = Object.fromEntries(
  [...FORMS.new.main, ...FORMS.new.folded].map((name) => [name, DEFAULT_SPEC[name]]),
);

const BATCHED = {
  ...ASSIGNMENT,
  cell: "lstm",
  sequence_length: 50,
  batch_size: 50,
  optimizer: "adam",
  learning_rate: FIELDS.learning_rate.default_by.defaults.adam,
  init_scale: null,
  max_updates: 20_000,
  sample_every: 500,
};

/** Settings to begin with, by name. */
export const PRESETS = {
  "The assignment": ASSIGNMENT,
  "Quick demo": { ...ASSIGNMENT, pace: "cinematic" },
  "LSTM, batch 50": BATCHED,
  Big: { ...BATCHED, layers: 2, hidden_size: 256, dropout: 0.2, validation_fraction: 0.05 },
};

/** The purpose of each preset. */
export const PRESET_DESCRIPTIONS = {
  "The assignment": "The course's own network: one layer, one sequence at a time, AdaGrad.",
  "Quick demo": "The same, but slow while the writing changes most: worth watching for two minutes.",
  "LSTM, batch 50": "Gates that remember for longer, fifty sequences in parallel: learns more per update.",
  Big: "Two layers of 256 with dropout, and a held-out part to show overfitting: takes an evening.",
};

/**
 * How many numbers a network learns over K distinct characters: U, W and b of each layer with all
 * its gates, the cell's extra vectors, and V and c of the output.
 */
export function parameterCount({ cell, layers, hidden_size: m }, K) {
  const { gates, extra_parameters: extra } = description.cells[cell];
  const layer = (inputs) => gates * m * (inputs + m + 1) + extra * m;
  return layer(K) + (layers - 1) * layer(m) + K * m + K;
}

const WRITTEN = {
  plain: String,
  count: format.count,
  share: format.share,
  seconds: (value) => `${value} s`,
  pace: (value) => (typeof value === "number" ? `${format.speed(value)} a second` : value),
  words: (value) => value.join(", "),
};

/** The names of the fields in a column's phrase. */
const namesIn = ({ phrase }) => [...phrase.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);

/** A field's value as a table shows it; that of fields that belong together as a phrase. */
export function valueText(name, spec) {
  const { column, display, null: none } = FIELDS[name];
  if (spec[name] === null) return none.label;
  return namesIn(column).length > 1 ? phraseOf(name, spec) : WRITTEN[display](spec[name]);
}

/** A setting in a list of settings, such as "2 layers"; empty where the feature is not used. */
export function phraseOf(name, spec) {
  const { column, null: none } = FIELDS[name];
  if (spec[name] === null) return none.phrase;
  if (spec[name] === column.unused) return "";
  const phrase = (spec[name] === 1 && column.singular) || column.phrase;
  return phrase.replace(/\{(\w+)\}/g, (_, field) => WRITTEN[FIELDS[field].display](spec[field]));
}

/** The folded settings that differ from the defaults: "lstm, 2 layers, batch 50, adam". */
export function describeOverrides(spec) {
  const differs = (name) => spec[name] !== DEFAULT_SPEC[name];
  return FORMS.new.folded
    .filter((name) => FIELDS[name].column && [name, ...namesIn(FIELDS[name].column)].some(differs))
    .map((name) => phraseOf(name, spec))
    .filter(Boolean)
    .join(", ");
}
