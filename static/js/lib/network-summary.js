/** A run's network and training in a few words. */

import { find } from "./dom.js";
import { count } from "./format.js";

/** @type {Record<string, any> | null} */
let defaults = null;

/**
 * "rnn 100, adagrad 0.1". Layers, batch and sequence length are named where they differ from the
 * defaults: "lstm 100, 2 layers, batch 50, sequences of 50, adam 0.002".
 *
 * @param {NetworkSpec} spec
 */
export function networkSummary(spec) {
  const { layers, batch_size: batch, sequence_length: length } = spec;
  const differs = (/** @type {keyof NetworkSpec} */ name) => spec[name] !== defaultOf(name);
  return [
    `${spec.cell} ${count(spec.hidden_size)}`,
    differs("layers") && `${layers} layers`,
    differs("batch_size") && `batch ${count(batch)}`,
    differs("sequence_length") && `sequences of ${count(length)}`,
    `${spec.optimizer} ${spec.learning_rate}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** The default of a field, from the description of the spec in the page. @param {string} name */
function defaultOf(name) {
  if (!defaults) {
    const { fields } = JSON.parse(find("#run-spec").textContent);
    /** @param {{name: string, default: any}} field */
    const entry = (field) => [field.name, field.default];
    defaults = Object.fromEntries(fields.map(entry));
  }
  return defaults[name];
}
