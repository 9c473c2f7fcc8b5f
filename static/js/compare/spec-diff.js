/** What runs differ in, and what they share, in words. Pure functions all. */

import * as format from "../lib/format.js";

/**
 * What a run was asked to be, in the order in which it is told.
 *
 * `of` gives the value by which runs differ and are sorted, `words` what a table shows of it, and
 * `said` how it stands in a sentence (by default as in a table).
 */
const FIELDS = [
  field("corpus", "text", (run) => run.corpus_name),
  field("cell", "cell"),
  field("hidden_size", "units", null, format.count, (words) => `${words} units`),
  field("layers", "layers", null, format.count, (words) =>
    words === "1" ? "1 layer" : `${words} layers`,
  ),
  field("dropout", "dropout", null, String, (words) => words !== "0" && `dropout ${words}`),
  field("sequence_length", "sequence", null, format.count, (words) => `sequences of ${words}`),
  field("batch_size", "batch", null, format.count, (words) => `batch ${words}`),
  field("optimizer", "optimiser"),
  field("learning_rate", "rate", null, String, (words) => `rate ${words}`),
  field("learning_rate_decay", "decay", null, String, (words) => words !== "1" && `decay ${words}`),
  field("clip", "clip", clipping),
  field("init_scale", "first weights", firstWeights, String, (words) => `first weights ${words}`),
  field("validation_fraction", "held out", null, format.share, (words) =>
    words !== "0%" && `${words} held out`,
  ),
  field("dtype", "numbers"),
  field("seed", "seed", null, String, (words) => `seed ${words}`),
  field("parameters", "parameters", (run) => run.parameters, format.count, (words) =>
    `${words} parameters`,
  ),
];

/** What makes no other network of it: told last, and only where it differs. */
const ASIDE = [
  field("max_updates", "to update", ({ spec }) => spec.max_updates ?? Infinity, until),
  field("pace", "pace", null, pace),
  field("sample_every", "sample every", null, format.count),
  field("sample_length", "sample length", null, format.count),
  field("checkpoint_every_s", "checkpoint every", null, (value) => `${value} s`),
  field("watch_words", "watched words", ({ spec }) => (spec.watch_words ?? []).join(", ")),
];

function field(key, label, of = null, words = String, said = (text) => text) {
  return { key, label, of: of ?? (({ spec }) => spec[key]), words, said };
}

/**
 * @param {Object[]} runs
 * @returns {{fields: Object[], aside: Object[], shared: string}} the fields in which they differ,
 *   those of less weight, and a sentence with what they share.
 */
export function differences(runs) {
  const differs = ({ of }) => runs.some((run) => of(run) !== of(runs[0]));
  const fields = FIELDS.filter(differs);
  const same = FIELDS.filter((each) => runs.length && !differs(each));
  const parts = same.map(({ of, words, said }) => said(words(of(runs[0])))).filter(Boolean);
  const shared = parts.length ? `${who(runs.length)}: ${parts.join(", ")}.` : "";
  return { fields, aside: ASIDE.filter(differs), shared };
}

const who = (count) => ["It has", "Both have"][count - 1] ?? `All ${count} have`;

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
  return typeof value === "number" ? `${format.speed(value)} a second` : value;
}
