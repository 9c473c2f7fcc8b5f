// What the server sends and takes, as docs/protocol.md describes it. Read by the TypeScript
// compiler in `make lint`; nothing of it is served.

type RunState = "queued" | "running" | "paused" | "finished" | "stopped" | "failed" | "interrupted";
type Pace = number | "max" | "cinematic";

interface RunSpec {
  corpus?: string;
  name?: string;
  cell: string;
  hidden_size: number;
  layers: number;
  dropout: number;
  sequence_length: number;
  batch_size: number;
  optimizer: string;
  learning_rate: number;
  learning_rate_decay: number;
  /** null: no clipping. */
  clip: number | null;
  clip_mode: string;
  /** null: 1 / sqrt(fan-in). */
  init_scale: number | null;
  validation_fraction: number;
  seed: number;
  dtype: string;
  /** null: until stopped. */
  max_updates: number | null;
  sample_every: number;
  sample_length: number;
  checkpoint_every_s: number;
  pace: Pace;
  /** null: the names found in the corpus. */
  watch_words: string[] | null;
  paused?: boolean;
}

interface Best {
  update: number;
  smooth_loss: number;
}

interface Run {
  id: string;
  name: string;
  state: RunState;
  spec: RunSpec;
  corpus: string;
  corpus_name: string;
  corpus_characters: number;
  update: number;
  epoch: number;
  position: number;
  loss: number | null;
  smooth_loss: number | null;
  best: Best | null;
  validation_loss: number | null;
  updates_per_second: number;
  seconds: number;
  updates_per_epoch: number;
  parameters: number;
  created_at: string;
  error: string | null;
  disk_full: boolean;
  forked_from: { run: string; checkpoint: string; update: number } | null;
  watch_words?: string[];
}

interface Corpus {
  id: string;
  name: string;
  characters: number;
  distinct: number;
  words: number;
  shipped: boolean;
  licence: string | null;
  entropy: { uniform: number; unigram: number; bigram: number };
  encoding: string;
  names: string[];
  repairs: string[];
  headings: [number, string][];
  created_at: string;
}

/** A half-open span of a text, in code points. */
type Span = [number, number];

interface Quality {
  real_words: number;
  longest_real_run: number;
  longest_copy: number;
}

interface Replay {
  text: string;
  quality: Quality;
  invented_words: Span[];
}

interface Sample extends Replay {
  update: number;
  epoch: number;
  smooth_loss: number | null;
  validation_loss: number | null;
  hurrahs: string[];
  replay: Replay | null;
}

interface Milestone {
  id: string;
  update: number;
  kind: "hurrah" | "epoch" | "change" | "checkpoint" | "note" | "rollback";
  text: string;
}

interface Checkpoint {
  id: string;
  update: number;
  smooth_loss: number | null;
  note: string | null;
  bytes: number;
  created_at: string;
  automatic: boolean;
  damaged: boolean;
}

interface CurvePart {
  update: number[];
  /** Missing in what an earlier version wrote. */
  seconds?: (number | null)[];
  smooth: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

interface ValidationLoss {
  update: number[];
  loss: (number | null)[];
}

interface Loss extends CurvePart {
  from: number;
  to: number;
  bucket: number;
  validation: ValidationLoss;
}

interface FirstBelow {
  smooth_loss: number;
  update: number | null;
  seconds: number | null;
}

interface VarianceComponents {
  epochs: number[] | null;
  share: number | null;
  share_error: number | null;
  start: { updates: number; loss: number; error: number } | null;
  unavailable: string | null;
}

interface PassageRequest {
  source: string | { update: number; model?: string };
  length: number;
  temperature?: number;
  temperatures?: number[] | null;
  top_k: number | null;
  top_p: number | null;
  prime: string;
  seed: number | null;
}

interface Passage {
  text: string;
  prime: string;
  seed: number;
  source: { kind: string; update: number; smooth_loss: number | null };
  temperature: number;
  quality: Quality;
  unknown_characters: string[];
  model: string;
  fingerprint: string;
  invented_words: Span[];
}

interface SavedPassage {
  id: string;
  run: string;
  run_name: string;
  corpus_name: string;
  title: string | null;
  created_at: string;
  request: PassageRequest;
  model_saved: boolean;
  passages: Passage[];
}

interface SavedPassagePage {
  passages: SavedPassage[];
  total: number;
  runs: { id: string; name: string; passages: number; watch_words: string[] }[];
  next: string | null;
}

interface SurprisingCharacter {
  index: number;
  character: string;
  word: string | null;
  surprisal: number;
  expected: [string, number][];
}

interface ReadingPassage {
  stream: number;
  position: number;
  before: string;
  text: string;
  after: string;
  surprisal_before: (number | null)[];
  surprisal: (number | null)[];
  surprisal_after: (number | null)[];
  top: [string, number][][];
  most_surprising: SurprisingCharacter[];
}

interface Reading {
  update: number;
  epoch: number;
  position: number;
  loss: number | null;
  smooth_loss: number | null;
  streams: number;
  source: { kind: "snapshot" | "checkpoint" | "beginning"; update: number };
  passages: ReadingPassage[];
}

interface GradientCheck {
  passed: boolean;
  threshold: number;
  thresholds: Record<"complex_step" | "central_difference", number>;
  dtype: string;
  parameters: CheckedParameter[];
}

interface CheckedParameter {
  name: string;
  shape: number[];
  complex_step: number | null;
  central_difference: number | null;
  passed: boolean;
  errors: Record<string, (number | null)[][]>;
}

/** A problem document (RFC 9457). */
interface ProblemDocument {
  title?: string;
  detail?: string;
  status?: number;
  errors?: { field: string; message: string }[];
}

// --- WebSocket ---

interface MessageHead {
  run: string;
  seq: number;
  /** Unix time in seconds. */
  sent_at: number;
  viewers?: number;
}

interface SnapshotMessage extends MessageHead {
  type: "snapshot";
  run_state: Run;
  loss: Loss;
  samples: Sample[];
  milestones: Milestone[];
  checkpoints: Checkpoint[];
}

// Rendered from server/spec/live_messages.py by `make format`.

interface ProgressMessage extends MessageHead {
  type: "progress";
  update: number;
  epoch: number;
  position: number;
  loss: number | null;
  smooth_loss: number | null;
  seconds: number;
  best: Best | null;
  updates_per_second: number;
  curve: CurvePart;
  happened_at: number;
}

interface SampleMessage extends MessageHead {
  type: "sample";
  sample: Sample;
}

interface MilestoneMessage extends MessageHead {
  type: "milestone";
  milestone: Milestone;
}

interface MilestoneRemovedMessage extends MessageHead {
  type: "milestone_removed";
  milestone_id: string;
}

interface CheckpointMessage extends MessageHead {
  type: "checkpoint";
  checkpoint: Checkpoint;
}

interface CheckpointDeletedMessage extends MessageHead {
  type: "checkpoint_deleted";
  checkpoint_id: string;
}

interface StateMessage extends MessageHead {
  type: "state";
  run_state: Run;
}

interface ViewersMessage extends MessageHead {
  type: "viewers";
  viewers: number;
}

interface ResyncMessage extends MessageHead {
  type: "resync";
}

type ServerMessage =
  | SnapshotMessage
  | ProgressMessage
  | SampleMessage
  | MilestoneMessage
  | MilestoneRemovedMessage
  | CheckpointMessage
  | CheckpointDeletedMessage
  | StateMessage
  | ViewersMessage
  | ResyncMessage;
// End of the rendered part.
