/**
 * The fields of a run's spec, the presets, and the text of settings.
 *
 * `server/spec/run_spec.py` describes the fields. The server renders the description into each page
 * that compares runs or has a form for them.
 */

import { find } from "../lib/dom.js";
import * as format from "../lib/format.js";

/**
 * A field of the spec. `server/spec/spec_field.py` explains `column`, `null` and `default_by`.
 *
 * @typedef {Object} SpecField
 * @property {string} name
 * @property {string} label
 * @property {"select" | "number" | "text" | "words" | "checkbox"} control
 * @property {(string | number)[]} choices the values of a select.
 * @property {"plain" | "count" | "share" | "seconds" | "pace" | "words"} display
 * @property {any} default
 * @property {DefaultBy | null} default_by
 * @property {{label: string, phrase: string, option_of: string | null} | null} null
 * @property {SpecColumn | null} column
 * @property {string} allowed what a value may be, in words.
 * @property {FieldSchema[]} schemas a value that is not null fits one of them.
 */

/**
 * A part of JSON schema.
 *
 * @typedef {Object} FieldSchema
 * @property {"string" | "number" | "integer" | "boolean" | "array"} type
 * @property {any[]} [enum]
 * @property {number} [minimum]
 * @property {number} [exclusiveMinimum]
 * @property {number} [maximum]
 * @property {number} [exclusiveMaximum]
 * @property {number} [minLength]
 * @property {number} [maxLength]
 * @property {number} [maxItems]
 * @property {FieldSchema} [items]
 */

/** @typedef {{field: string, defaults: Record<string, number>}} DefaultBy */

/**
 * @typedef {Object} SpecColumn
 * @property {string} label
 * @property {string} phrase
 * @property {string | null} singular
 * @property {number | string | null} unused
 * @property {boolean} schedule
 * @property {string | null} unit
 */

/**
 * The names of a form's fields.
 *
 * @typedef {{main: string[], folded: string[]}} FormLayout
 */

/**
 * @typedef {Object} SpecDescription
 * @property {SpecField[]} fields
 * @property {{new: FormLayout, fork: FormLayout}} forms
 * @property {Record<string, {gates: number, extra_parameters: number}>} cells
 */

/** @type {SpecDescription} */
const description = JSON.parse(find("#run-spec").textContent);

/**
 * The description of each field by name, in the spec's order.
 *
 * @type {Record<string, SpecField>}
 */
export const FIELDS = Object.fromEntries(description.fields.map((field) => [field.name, field]));

/** The layouts of the forms. */
export const FORMS = description.forms;

/** @type {Record<string, any>} */
export const DEFAULT_SPEC = Object.fromEntries(
  Object.entries(FIELDS).map(([name, field]) => [name, field.default]),
);

/** The fields that a preset leaves as they are. */
const NOT_IN_PRESETS = ["name", "seed", "watch_words", "paused"];

const ASSIGNMENT = Object.fromEntries(
  [...FORMS.new.main, ...FORMS.new.folded]
    .filter((name) => !NOT_IN_PRESETS.includes(name))
    .map((name) => [name, DEFAULT_SPEC[name]]),
);

const BATCHED = {
  ...ASSIGNMENT,
  cell: "lstm",
  sequence_length: 50,
  batch_size: 50,
  optimizer: "adam",
  learning_rate: FIELDS.learning_rate.default_by?.defaults.adam,
  init_scale: null,
  max_updates: 20_000,
  sample_every: 500,
};

/**
 * Settings to start from, by name.
 *
 * @type {Record<string, Record<string, any>>}
 */
export const PRESETS = {
  "The assignment": ASSIGNMENT,
  "Quick demo": { ...ASSIGNMENT, pace: "cinematic" },
  "LSTM, batch 50": BATCHED,
  Big: { ...BATCHED, layers: 2, hidden_size: 256, dropout: 0.2, validation_fraction: 0.05 },
};

/**
 * The purpose of each preset.
 *
 * @type {Record<string, string>}
 */
export const PRESET_DESCRIPTIONS = {
  "The assignment": 
    "The usual assignment of a deep learning course: one layer, one sequence at a time, AdaGrad.",
  "Quick demo":
    "The same network, trained slowly while its text changes most. Watch it for two minutes.",
  "LSTM, batch 50":
    "An LSTM with fifty sequences in parallel. It learns more per update.",
  Big:
    "Two layers of 256 units with dropout and held-out text. Training takes some hours.",
};

/**
 * The number of parameters of a network: U, W and b of each layer with all its gates, the extra
 * vectors of the cell, and V and c of the output.
 *
 * @param {any} spec
 * @param {number} K the number of distinct characters.
 */
export function parameterCount({ cell, layers, hidden_size: m }, K) {
  const { gates, extra_parameters: extra } = description.cells[cell];
  /** @param {number} inputs */
  const layer = (inputs) => gates * m * (inputs + m + 1) + extra * m;
  return layer(K) + (layers - 1) * layer(m) + K * m + K;
}

/**
 * The text of a value, by the field's `display`.
 *
 * @type {Record<string, (value: any) => string>}
 */
const DISPLAYS = {
  plain: String,
  count: format.count,
  share: format.share,
  seconds: (value) => `${value} s`,
  pace: (value) => (typeof value === "number" ? `${format.speed(value)} a second` : value),
  words: (value) => value.join(", "),
};

/**
 * The names of the fields that occur in a column's phrase. Fields that belong together share one.
 *
 * @param {SpecColumn} column
 */
export const namesInPhrase = ({ phrase }) =>
  [...phrase.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);

/**
 * The column of a field that has one.
 *
 * @param {string} name
 */
export const columnOf = (name) => /** @type {SpecColumn} */ (FIELDS[name].column);

/**
 * The content of a field's table cell; the phrase, if it contains several fields.
 *
 * @param {string} name
 * @param {Record<string, any>} spec
 * @returns {string}
 */
export function valueText(name, spec) {
  const isShared = spec[name] !== null && namesInPhrase(columnOf(name)).length > 1;
  return isShared ? phraseOf(name, spec) : settingText(name, spec[name]);
}

/**
 * The text of a value of a field by itself.
 *
 * @param {string} name
 * @param {any} value
 * @returns {string}
 */
export function settingText(name, value) {
  const { display, null: none } = FIELDS[name];
  return none && value === null ? none.label : DISPLAYS[display](value);
}

/**
 * A setting as an item of a list of settings, such as "2 layers"; empty if the feature is not used.
 *
 * @param {string} name
 * @param {Record<string, any>} spec
 * @returns {string}
 */
export function phraseOf(name, spec) {
  const { null: none } = FIELDS[name];
  const column = columnOf(name);
  if (none && spec[name] === null) return none.phrase;
  if (spec[name] === column.unused) return "";
  const phrase = (spec[name] === 1 && column.singular) || column.phrase;
  return phrase.replace(/\{(\w+)\}/g, (_, field) => DISPLAYS[FIELDS[field].display](spec[field]));
}

/**
 * The advanced settings that differ from their defaults: "lstm, 2 layers, batch 50, adam".
 *
 * @param {Record<string, any>} spec
 */
export function describeOverrides(spec) {
  /** @param {string} name */
  const differs = (name) => spec[name] !== DEFAULT_SPEC[name];
  return FORMS.new.folded
    .filter((name) => {
      const { column } = FIELDS[name];
      return column && [name, ...namesInPhrase(column)].some(differs);
    })
    .map((name) => phraseOf(name, spec))
    .filter(Boolean)
    .join(", ");
}
