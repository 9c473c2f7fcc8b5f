/** The defaults of a run's spec, the presets, and what they mean. */

/** The server's defaults, which are those of the course's assignment. */
export const DEFAULT_SPEC = {
  cell: "rnn",
  hidden_size: 100,
  layers: 1,
  dropout: 0,
  sequence_length: 25,
  batch_size: 1,
  optimizer: "adagrad",
  learning_rate: 0.1,
  learning_rate_decay: 1,
  clip: 5,
  clip_mode: "value",
  init_scale: 0.01, // null: by fan-in
  validation_fraction: 0,
  dtype: "float32",
  max_updates: 100_000, // null: until stopped
  sample_every: 10_000,
  pace: "max",
};

const BATCHED = {
  cell: "lstm",
  sequence_length: 50,
  batch_size: 50,
  optimizer: "adam",
  learning_rate: 0.002,
  init_scale: null,
  max_updates: 20_000,
  sample_every: 500,
};

/** Presets by name. */
export const PRESETS = {
  "The assignment": DEFAULT_SPEC,
  "Quick demo": { ...DEFAULT_SPEC, pace: "cinematic" },
  "LSTM, batch 50": { ...DEFAULT_SPEC, ...BATCHED },
  Big: {
    ...DEFAULT_SPEC,
    ...BATCHED,
    layers: 2,
    hidden_size: 256,
    dropout: 0.2,
    validation_fraction: 0.05,
  },
};

/** A description of each preset. */
export const PRESET_DESCRIPTIONS = {
  "The assignment": "The network of the course: one layer, one sequence at a time, AdaGrad.",
  "Quick demo":
    "The same network, slow at the start, where the samples change most. Worth watching for two minutes.",
  "LSTM, batch 50":
    "Gates that remember longer, and fifty sequences at a time: learns more per update.",
  Big: "Two layers of 256 with dropout, and a validation set to see overfitting: takes an evening.",
};

/** The default learning rate of each optimizer. */
export const DEFAULT_RATES = { adagrad: 0.1, adam: 0.002, rmsprop: 0.002, sgd: 0.1 };

const GATES = { rnn: 1, gru: 3, lstm: 4 };

/**
 * The number of parameters for K distinct characters: U, W and b of each layer with all its gates,
 * d of a GRU, and V and c of the output.
 */
export function parameterCount({ cell, layers, hidden_size: m }, K) {
  const rows = GATES[cell] * m;
  const extra = cell === "gru" ? m : 0;
  const layer = (inputs) => rows * (inputs + m + 1) + extra;
  return layer(K) + (layers - 1) * layer(m) + K * m + K;
}

/** The settings that differ from the defaults, in a few words: "lstm, 2 layers, batch 50, adam". */
export function describeOverrides(spec) {
  const other = (name) => spec[name] !== DEFAULT_SPEC[name];
  return [
    other("cell") && spec.cell,
    other("layers") && `${spec.layers} layers`,
    other("dropout") && `dropout ${spec.dropout}`,
    other("batch_size") && `batch ${spec.batch_size}`,
    other("optimizer") && spec.optimizer,
    other("learning_rate_decay") && `decay ${spec.learning_rate_decay}`,
    spec.clip === null ? "no clipping" : clipping(spec),
    spec.init_scale === null && "scaled by fan-in",
    spec.init_scale !== null && other("init_scale") && `scale ${spec.init_scale}`,
    other("validation_fraction") && `${Math.round(spec.validation_fraction * 100)}% held out`,
    other("dtype") && spec.dtype,
  ]
    .filter(Boolean)
    .join(", ");
}

const clipping = ({ clip, clip_mode: mode }) =>
  (clip !== DEFAULT_SPEC.clip || mode !== DEFAULT_SPEC.clip_mode) && `${mode} clipped at ${clip}`;
