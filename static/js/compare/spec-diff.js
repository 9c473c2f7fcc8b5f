/** The differences between the specs of runs, and what they have in common. Pure functions. */

import * as format from "../lib/format.js";

/**
 * The fields of a spec, in the order in which they are shown.
 *
 * `of` gives the value by which runs are compared and sorted, `text` the text in the table, and
 * `sentence` the text in a sentence (by default the same).
 */
const FIELDS = [
  field("corpus", "text", (run) => run.corpus_name),
  field("cell", "cell"),
  field("hidden_size", "units", null, format.count, (text) => `${text} units`),
  field("layers", "layers", null, format.count, (text) =>
    text === "1" ? "1 layer" : `${text} layers`,
  ),
  field("dropout", "dropout", null, String, (text) => text !== "0" && `dropout ${text}`),
  field("sequence_length", "sequence", null, format.count, (text) => `sequences of ${text}`),
  field("batch_size", "batch", null, format.count, (text) => `batch ${text}`),
  field("optimizer", "optimiser"),
  field("learning_rate", "rate", null, String, (text) => `rate ${text}`),
  field("learning_rate_decay", "decay", null, String, (text) => text !== "1" && `decay ${text}`),
  field("clip", "clip", clipping),
  field("init_scale", "initial scale", firstWeights, String, (text) => `initial scale ${text}`),
  field(
    "validation_fraction",
    "held out",
    null,
    format.share,
    (text) => text !== "0%" && `${text} held out`,
  ),
  field("dtype", "numbers"),
  field("seed", "seed", null, String, (text) => `seed ${text}`),
  field(
    "parameters",
    "parameters",
    (run) => run.parameters,
    format.count,
    (text) => `${text} parameters`,
  ),
];

/** Fields that do not change the network: shown last, and only if they differ. */
const SECONDARY = [
  field("max_updates", "updates", ({ spec }) => spec.max_updates ?? Infinity, until),
  field("pace", "pace", null, pace),
  field("sample_every", "sample every", null, format.count),
  field("sample_length", "sample length", null, format.count),
  field("checkpoint_every_s", "checkpoint every", null, (value) => `${value} s`),
  field("watch_words", "watched words", ({ spec }) => (spec.watch_words ?? []).join(", ")),
];

/**
 * @param {string} key
 * @param {string} label
 * @param {((run: any) => any) | null} [of]
 * @param {(value: any) => string} [text]
 * @param {(text: string) => string | false} [sentence]
 */
function field(key, label, of = null, text = String, sentence = (text) => text) {
  return { key, label, of: of ?? (({ spec }) => spec[key]), text, sentence };
}

/**
 * @param {Run[]} runs
 * @returns {{fields: any[], secondary: any[], shared: string}} the fields that differ, the less
 *   important ones, and a sentence about what they share.
 */
export function specDifferences(runs) {
  const differs = ({ of }) => runs.some((run) => of(run) !== of(runs[0]));
  const fields = FIELDS.filter(differs);
  const same = FIELDS.filter((each) => runs.length && !differs(each));
  const parts = same.map(({ of, text, sentence }) => sentence(text(of(runs[0])))).filter(Boolean);
  const shared = parts.length ? `${subject(runs.length)}: ${parts.join(", ")}.` : "";
  return { fields, secondary: SECONDARY.filter(differs), shared };
}

const subject = (count) => ["It has", "Both have"][count - 1] ?? `All ${count} have`;

function firstWeights({ spec }) {
  return spec.init_scale ?? "by fan-in";
}

function clipping({ spec: { clip, clip_mode: mode } }) {
  if (clip === null) return "not clipped";
  return `${mode === "norm" ? "norm" : "values"} clipped at ${clip}`;
}

function until(updates) {
  return updates === Infinity ? "until stopped" : format.count(updates);
}

function pace(value) {
  return typeof value === "number" ? `${format.speed(value)} per second` : value;
}
