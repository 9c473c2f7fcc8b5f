// Written by `make generate` from the server's types; docs/protocol.md describes them. Read by the
// TypeScript compiler in `make lint`; nothing of it is served.

/** The fields of every message on the wire; see `server.spec.live_messages.Envelope`. */
interface GameEnvelope {
  type: string;
  seq: number;
  sent_at: number;
}

/** The fields of every message on the wire. */
interface Envelope {
  type: string;
  run: string;
  seq: number;
  sent_at: number;
}

/** The fields of every message on the wire; see `server.spec.live_messages.Envelope`. */
interface LectureEnvelope {
  type: string;
  seq: number;
  sent_at: number;
}

/** The fields of every message on the wire; see `server.spec.live_messages.Envelope`. */
interface WallEnvelope {
  type: string;
  seq: number;
  sent_at: number;
}

/** The run as it is. It comes first, unless the messages after `since` are still in memory. */
interface SnapshotMessage extends Envelope {
  run_state: Run;
  loss: Loss;
  metrics: Metrics;
  samples: Sample[];
  milestones: Milestone[];
  checkpoints: Checkpoint[];
  type: "snapshot";
  viewers: number;
}

/** The run's progress, 5 to 20 times a second, and the pieces of the curves since the last. */
interface ProgressMessage extends Envelope {
  type: "progress";
  update: number;
  epoch: number;
  position: number;
  loss: number | null;
  smooth_loss: number | null;
  seconds: number;
  best: Best | null;
  updates_per_second: number;
  curve: Curve;
  metrics: MetricPiece;
  happened_at: number;
}

/** A sample was written and measured. */
interface SampleMessage extends Envelope {
  type: "sample";
  sample: Sample;
}

/** A milestone is new, or its text was changed: then it has the id of an earlier one. */
interface MilestoneMessage extends Envelope {
  type: "milestone";
  milestone: Milestone;
}

/** A note was removed. */
interface MilestoneRemovedMessage extends Envelope {
  type: "milestone_removed";
  milestone_id: string;
}

/** A checkpoint is new, or was found damaged: then it has the id of an earlier one. */
interface CheckpointMessage extends Envelope {
  type: "checkpoint";
  checkpoint: Checkpoint;
}

/** A checkpoint was deleted. */
interface CheckpointDeletedMessage extends Envelope {
  type: "checkpoint_deleted";
  checkpoint_id: string;
}

/** The run's state, name or spec has changed. */
interface StateMessage extends Envelope {
  type: "state";
  run_state: Run;
}

/** The number of viewers has changed. */
interface ViewersMessage extends Envelope {
  type: "viewers";
  viewers: number;
}

/** The viewer fell behind, or the run went back to a checkpoint; a snapshot follows. */
interface ResyncMessage extends Envelope {
  type: "resync";
}

/** No other message was sent for a second. The connection works and the viewer is up to date. */
interface HeartbeatMessage extends Envelope {
  type: "heartbeat";
}

/** What is right and wrong with gradients. */
interface Answer {
  passed: boolean;
  threshold: number;
  precision: string;
  parameters: AnswerParameter[];
  missing: string[];
  remarks: string[];
  diagnosis: FoundMistakes[];
  evidence: string[];
}

/** The description of a corpus, without its text. */
interface Corpus {
  id: string;
  name: string;
  characters: number;
  distinct: number;
  words: number;
  shipped: boolean;
  licence: string | null;
  entropy: Entropy;
  encoding: string;
  names: string[];
  repairs: string[];
  headings: [number, string][];
  created_at: string;
  readings: Reading[];
  gutenberg_licence: GutenbergLicence | null;
}

/** A group, and the runs that were added to it. */
interface CreatedMembers {
  group: Group;
  runs: Run[];
}

/** The differences between all pairs of some groups. */
interface Differences {
  loss: "smooth_loss" | "validation_loss";
  differences: Difference[];
}

/** How much of the loss's variance the text explains, and the cost of starting an epoch. */
interface ExplainedLoss {
  epochs: number[];
  share: number | null;
  share_error: number | null;
  start: StartCost | null;
  unavailable: string | null;
}

/** The first update at which the smooth loss was below a threshold; null if there is none. */
interface FirstBelow {
  smooth_loss: number;
  update: number | null;
  seconds: number | null;
}

/** The network whose weights a file has. */
interface FoundParameters {
  file: string;
  cell: string;
  hidden_size: number;
  layers: number;
  characters: number;
  parameters: FoundParameter[];
  remarks: string[];
}

/** A game's id and the address for players. */
interface GameLinks {
  id: string;
  player_url: string;
  reachable: boolean;
}

/** The result; `threshold` is that of the central difference. */
interface GradientCheckResult {
  passed: boolean;
  threshold: number;
  thresholds: Thresholds;
  dtype: string;
  parameters: CheckedParameter[];
}

/** The smooth loss of a group over a range of updates, at every `bucket`-th of them. */
interface GroupLoss {
  from: number;
  to: number;
  bucket: number;
  update: number[];
  seconds: (number | null)[];
  runs: number[];
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  deviation: (number | null)[];
  validation: ValidationBand;
}

/** Metrics of a group over a range of updates, by their names; the buckets are as of `Metrics`. */
interface GroupMetrics {
  from: number;
  to: number;
  bucket: number;
  update: number[];
  metrics: Record<string, MetricBand>;
}

/** The health of a network, measured on the text that its next update reads. */
interface Health {
  model: ProbedModel;
  update: number;
  gradient_norm: number | null;
  clipped_share: number;
  saturated_share: number[];
  dead_share: number[];
  spectral_radius: (number | null)[];
  gate_spectral_radius: (number | null)[][];
  update_ratio: Record<string, number | null>;
  update_ratio_update: number | null;
  parameter_norms: Record<string, number | null>;
  gradient_by_lag: (number | null)[];
  half_life: number | "infinite" | null;
  figures: Figure[];
}

/** A passage with and without a unit held at a value, from the same seed. */
interface Intervention {
  model: ProbedModel;
  layer: number;
  unit: number;
  value: number;
  seed: number;
  without: string;
  with: string;
  first_difference: number | null;
  unknown_characters: string[];
}

/** A lecture's id and the address for viewers. */
interface LectureLinks {
  id: string;
  viewer_url: string;
  reachable: boolean;
}

/** A machine and the runs that train on it. */
interface Machine {
  name: string;
  address: string;
  slots: number;
  used: number;
  state: "ready" | "paused" | "unreachable";
  runs: string[];
}

/** A run of a group, with what its own fields do not say. */
interface MemberFigures {
  run: Run;
  lowest_validation: LowestValidation | null;
  reached: FirstBelow | null;
}

/** How much a loss depends on the states 0, 1, 2, ... steps back. */
interface Memory {
  model: ProbedModel;
  cell: string;
  sequence_length: number;
  gradient_by_lag: (number | null)[];
  typical: StateNorms[];
  losses: number;
  half_life: number | "infinite" | null;
  sentence: string;
}

/** A metric that is recorded beside the loss. */
interface MetricDescription {
  name: string;
  label: string;
  unit: string;
  explanation: string;
  every: number;
}

/** The losses of a file beside those of a run. */
interface OwnLossesResult {
  file: string;
  rows: number;
  remarks: string[];
  curve: OwnCurve;
  comparison: OwnComparison;
}

/** The answers of a player. */
interface PlayerAnswers {
  answers: RoundAnswer[];
}

/** What a network computes at each of n characters. */
interface Probe {
  model: ProbedModel;
  characters: string[];
  unknown: number[];
  surprisal: (number | null)[];
  probability: (number | null)[];
  top: [string, number][][];
  hidden: HiddenStates;
  units: ProbedUnit[];
  saliency: Saliency | null;
}

/** The probability of a character at some snapshots. */
interface ProbeHistory {
  update: number[];
  probability: (number | null)[];
}

/** What the author adds to the report of a run; empty texts are left out of the report. */
interface ReportRemarks {
  title: string;
  author: string;
  gradients: string;
  loss: string;
  evolution: string;
  passage: string;
  findings: string;
  translation: string;
  translated_update: number | null;
}

/** The answer of a player that counts in a round. */
interface RoundAnswer {
  round: number;
  character: string;
}

/** Some saved passages, newest first; `next` is the `before` of the next slice. */
interface SavedPassageSlice {
  passages: SavedPassage[];
  total: number;
  runs: RunWithPassages[];
  next: string | null;
}

/** A game that was just started. */
interface StartedGame {
  id: string;
  player_url: string;
  reachable: boolean;
  key: string;
  presenter_url: string;
}

/** A lecture that was just started. */
interface StartedLecture {
  id: string;
  viewer_url: string;
  reachable: boolean;
  key: string;
  presenter_url: string;
}

/** A sweep as it is now. */
interface Sweep {
  id: string;
  name: string;
  state: SweepState;
  spec: SweepSpec;
  created_at: string;
  unit: string;
  runs: SweepRun[];
  best: SweepBest | null;
  importance: Record<string, number> | null;
  planned: number;
  started: number;
  ended: number;
  stopped_early: number;
  failed: number;
  updates: number;
  planned_updates: number;
  error: string | null;
}

/** The smooth losses of the updates since the last line of the response. */
interface TrainingProgress {
  update: number;
  right: (number | null)[];
  wrong: (number | null)[];
  updates_per_second: number;
}

/** The end of a training. */
interface TrainingResult {
  updates: number;
  seconds: number;
}

/** What both networks write, and how far off the gradients with the mistake are. */
interface TrainingSample {
  update: number;
  right: string | null;
  wrong: string | null;
  gradient_errors: Record<string, number | null>;
}

/** The correlation of a unit with a feature over the training. */
interface UnitHistory {
  layer: number;
  unit: number;
  feature: string | null;
  limit: number | null;
  update: number[];
  correlation: number[];
}

/** The features that the units of a network follow. */
interface UnitList {
  model: ProbedModel;
  layers: number;
  hidden_size: number;
  characters: number;
  features: number;
  units: FollowedFeature[];
}

/** The places in the run's text where the units of a selected stretch are active. */
interface UnitSpans {
  model: ProbedModel;
  layer: number;
  units: ActiveUnit[];
  searched: SearchedText;
  spans: TextSpan[];
}

/** The next update of a run: its first stream unrolled, and what is learned from it. */
interface UnrolledUpdate {
  model: ProbedModel;
  update: number;
  epoch: number;
  position: number;
  learning_rate: number;
  dropout: number;
  sequence_length: number;
  streams: number;
  zero_state: boolean;
  inputs: string[];
  targets: string[];
  top: [string, number][][];
  target_probability: (number | null)[];
  loss: (number | null)[];
  loss_after: (number | null)[];
  layers: UnrolledLayer[];
  parameters: ParameterSteps[];
  total: WholeUpdate;
  number: NumberUpdate;
}

/** The text that a run was trained on at an update, and its surprisal. */
interface UpdateSurprisal {
  update: number;
  epoch: number;
  position: number;
  loss: number | null;
  smooth_loss: number | null;
  streams: number;
  source: SurprisalSource;
  passages: PassageSurprisal[];
}

/** What `GET /api/wall/curves` returns of a run: its whole curve and its text. */
interface WallDetail {
  id: string;
  text: string;
  curve: WallCurve;
}

/** All runs, newest first. It comes first, unless the messages after `since` are in memory. */
interface WallSnapshotMessage extends WallEnvelope {
  type: "snapshot";
  runs: WallRun[];
  viewers: number;
}

/** What has changed since the last message, once a second. */
interface WallUpdateMessage extends WallEnvelope {
  type: "update";
  runs: WallRun[];
  progress: WallProgress[];
  removed: string[];
}

/** What the presenter looks at. */
interface LectureSnapshotMessage extends LectureEnvelope {
  type: "snapshot";
  view: string | null;
  pointer: PlaceInBox | PlaceOnCurve | PlaceInText | null;
  presenters: number;
  viewers: number;
}

/** The presenter looks at something else. */
interface LectureViewMessage extends LectureEnvelope {
  type: "view";
  view: string;
}

/** The presenter points at something else, or no longer. */
interface PointerMessage extends LectureEnvelope {
  type: "pointer";
  pointer: PlaceInBox | PlaceOnCurve | PlaceInText | null;
}

/** The number of pages that present has changed; 0: the presenter is not connected. */
interface PresentersMessage extends LectureEnvelope {
  type: "presenters";
  presenters: number;
}

/** A game. */
interface GameSnapshotMessage extends GameEnvelope {
  type: "snapshot";
  mode: "choices" | "typing";
  rounds: number;
  seconds: number;
  run: string;
  run_name: string;
  update: number;
  held_out: boolean;
  text: string;
  round: number;
  open: boolean;
  ends_at: number | null;
  choices: string[] | null;
  players: number;
  answered: number;
  results: RoundResult[];
  shares: RoundShare[];
  viewers: number;
}

/** A round has begun. */
interface RoundMessage extends GameEnvelope {
  type: "round";
  round: number;
  ends_at: number;
  choices: string[] | null;
  players: number;
}

/** More players have joined or answered; at most twice a second. */
interface AnswersMessage extends GameEnvelope {
  type: "answers";
  round: number;
  players: number;
  answered: number;
}

/** A round has ended; `text` is the passage with its character. */
interface RoundResultMessage extends GameEnvelope {
  type: "result";
  result: RoundResult;
  shares: RoundShare[];
  text: string;
  players: number;
}

/** The current state of a run. */
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
  validation_update: number | null;
  updates_per_second: number;
  seconds: number;
  updates_per_epoch: number;
  parameters: number;
  created_at: string;
  error: string | null;
  diverged_since: number | null;
  disk_full: boolean;
  forked_from: ForkedFrom | null;
  given_weights: GivenWeights | null;
  own_losses: OwnLosses | null;
  test: LossOnTest | null;
  queue_position: number | null;
  machine: string | null;
  waiting_for: string | null;
  group: RunGroup | null;
  sweep: string | null;
}

/** The loss over a range of updates, in buckets of `bucket` updates. */
interface Loss {
  from: number;
  to: number;
  bucket: number;
  update: number[];
  seconds: (number | null)[];
  smooth: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  validation: ValidationLoss;
}

/** Metrics over a range of updates, in buckets of `bucket` updates. */
interface Metrics {
  from: number;
  to: number;
  bucket: number;
  update: number[];
  metrics: Record<string, MetricBuckets>;
}

/** Text that a run wrote during training. */
interface Sample {
  update: number;
  epoch: number;
  smooth_loss: number | null;
  validation_loss: number | null;
  text: string;
  quality: Quality;
  hurrahs: string[];
  invented_words: [number, number][];
  replay: Replay | null;
}

/** An event that is marked on the curve. It gets its id when it is stored. */
interface Milestone {
  id: string;
  update: number;
  kind: "hurrah" | "epoch" | "change" | "checkpoint" | "note" | "rollback";
  text: string;
}

/** A file from which a run continues exactly. */
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

/** The lowest smooth loss so far, in nats per sequence, and the update that reached it. */
interface Best {
  update: number;
  smooth_loss: number;
}

/** The loss curve, or a piece of it, reduced to few points; what is not finite is null. */
interface Curve {
  update: number[];
  seconds: (number | null)[];
  smooth: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

/** The metrics of the updates since the last message, reduced to few points; often to none. */
interface MetricPiece {
  update: number[];
  count: number[];
  metrics: Record<string, MetricBuckets>;
}

/** The gradient of one parameter. */
interface AnswerParameter {
  name: string;
  shape: number[];
  relative_error: number;
  passed: boolean;
  source: string;
  transposed: boolean;
  errors: number[][];
}

/** One mistake or two, and the relative error of their gradients against those sent. */
interface FoundMistakes {
  mistakes: string[];
  agreement: number;
  explanation: string;
  details: MistakeDetails[];
}

/** Entropy of a text's characters, in nats per character. */
interface Entropy {
  uniform: number;
  unigram: number;
  bigram: number;
}

/** One of several plausible readings of a file. */
interface Reading {
  encoding: string;
  excerpt: string;
}

/** The licence of Project Gutenberg in a text. */
interface GutenbergLicence {
  start: number;
  end: number;
  first_line: string;
  last_line: string;
  left_out: boolean;
}

/** A group of runs with the same spec but for seed and name; `runs` are in order of creation. */
interface Group {
  id: string;
  name: string;
  runs: string[];
  created_at: string;
}

/** How the losses of two groups differ. */
interface Difference {
  groups: string[];
  runs: number[];
  left_out: number[];
  update: number | null;
  means: number[] | null;
  difference: number | null;
  margin: number | null;
  different: boolean;
  reason: "too few" | "not begun" | "other text" | null;
}

/** The excess loss of each of the first `updates` updates of an epoch, in nats per sequence. */
interface StartCost {
  updates: number;
  loss: number;
  error: number;
}

/** A parameter: its name here, its name and shape in the file, and whether it was transposed. */
interface FoundParameter {
  name: string;
  source: string;
  shape: number[];
  transposed: boolean;
}

/** Upper limits of the relative errors. */
interface Thresholds {
  complex_step: number;
  central_difference: number;
}

/** The greatest relative errors of one parameter; null if they are not finite. */
interface CheckedParameter {
  name: string;
  shape: number[];
  complex_step: number | null;
  central_difference: number | null;
  passed: boolean;
  errors: ParameterErrors | null;
}

/** The mean validation loss of a group at each update at which it was measured. */
interface ValidationBand {
  update: number[];
  runs: number[];
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  deviation: (number | null)[];
}

/** The band of a metric of a group: of the means of its runs in each bucket. */
interface MetricBand {
  runs: number[];
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  deviation: (number | null)[];
}

/** The model that was looked into, and its update. */
interface ProbedModel {
  kind: "best" | "best_validation" | "latest" | "checkpoint" | "snapshot";
  update: number;
}

/** A figure with its values and sentences. */
interface Figure {
  name: string;
  label: string;
  unit: string;
  values: FigureValue[];
  scale: FigureScale;
  status: "usual" | "unusual" | "harmful" | null;
  normal: string;
  meaning: string;
  advice: string;
}

/** The lowest validation loss of a run, in nats per sequence, and its update. */
interface LowestValidation {
  update: number;
  loss: number;
}

/** The norms of the gradient with respect to one kind of state of a layer. */
interface StateNorms {
  layer: number;
  state: string;
  norms: (number | null)[];
}

/** The losses in buckets: the last update of each, and the smooth loss there. */
interface OwnCurve {
  update: number[];
  smooth: number[];
  low: number[];
  high: number[];
}

/** How the smooth losses differ from the run's, at the updates that both have. */
interface OwnComparison {
  updates: number;
  parted_at: number | null;
  mean: number | null;
  greatest: number | null;
  greatest_at: number | null;
  text: string;
}

/** The hidden states of a layer. */
interface HiddenStates {
  layer: number;
  shape: number[];
  int8: string;
  max: number;
}

/** A unit of the layer of `HiddenStates`, and the feature of the text that it follows. */
interface ProbedUnit {
  unit: number;
  feature: string;
  correlation: number;
}

/** The gradients of the logits with respect to earlier characters. */
interface Saliency {
  first: number;
  shape: number[];
  uint8: string;
  max: (number | null)[];
}

/** A passage in the gallery, or several with one seed. */
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

/** A run with saved passages; `passages` is their number. */
interface RunWithPassages {
  id: string;
  name: string;
  passages: number;
  watch_words: string[];
}

/** The state of a sweep. */
type SweepState = "running" | "paused" | "finished" | "stopped";

/** A sweep, as requested. */
interface SweepSpec {
  name: string | null;
  spec: Record<string, unknown>;
  parameters: Record<string, ValueList | ValueRange>;
  sampler: "grid" | "random" | "tpe";
  runs: number;
  seeds: number;
  goal: "smooth_loss" | "validation_loss";
  stop_early: boolean;
  seed: number;
}

/** A run of a sweep. */
interface SweepRun {
  run: string | null;
  configuration: number;
  parameters: Record<string, boolean | number | string | null>;
  seed: number;
  value: number | null;
  update: number;
  state: RunState;
  ended: boolean;
  stopped_early: boolean;
  error: string | null;
}

/** The configuration with the lowest mean value of those whose runs made all their updates. */
interface SweepBest {
  configuration: number;
  parameters: Record<string, boolean | number | string | null>;
  value: number;
  runs: string[];
}

/** A unit, and the feature of the text that it follows. */
interface FollowedFeature {
  layer: number;
  unit: number;
  confirmed: boolean;
  feature: string | null;
  correlation: number | null;
  limit: number | null;
  label: string;
}

/** A unit that is active throughout the selected stretch. */
interface ActiveUnit {
  unit: number;
  sign: number;
  activation: number;
}

/** The part of the run's text that was searched, in characters. */
interface SearchedText {
  from: number;
  to: number;
}

/** A stretch of the run's text throughout which some of the units are active. */
interface TextSpan {
  from: number;
  to: number;
  before: string;
  text: string;
  after: string;
  units: number[];
}

/** One layer, unrolled over n steps. A figure is None if it is not finite. */
interface UnrolledLayer {
  hidden: Int8Matrix;
  gradients: Int8Matrix;
  from_output: (number | null)[];
  from_later: Record<string, (number | null)[]>;
  together: (number | null)[];
}

/** The update of a parameter, and its gradient split by step. */
interface ParameterSteps {
  name: string;
  shape: number[];
  gradient: number | null;
  clipped: number | null;
  step: number | null;
  value: number | null;
  terms: (number | null)[];
  sum_of_terms: number | null;
}

/** The update of all parameters. */
interface WholeUpdate {
  name: string;
  shape: number[];
  gradient: number | null;
  clipped: number | null;
  step: number | null;
  value: number | null;
  loss: number | null;
  loss_after: number | null;
  numbers: number;
  clipped_numbers: number;
}

/** The update of one number: the one of the first layer's W with the greatest gradient. */
interface NumberUpdate {
  parameter: string;
  index: number[];
  value: number | null;
  gradient: number | null;
  clipped: number | null;
  step: number | null;
}

/** The model that was used: the newest stored one from before the update. */
interface SurprisalSource {
  kind: "snapshot" | "checkpoint" | "beginning";
  update: number;
}

/** The text of one stream at an update, with its context in the corpus. */
interface PassageSurprisal {
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

/** A loss curve of at most 48 points, or its end. */
interface WallCurve {
  bucket: number;
  start: number;
  smooth: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

/** A run on the wall; the fields are those of a `Run`. */
interface WallRun {
  id: string;
  update: number;
  smooth_loss: number | null;
  best: number | null;
  updates_per_second: number;
  text: string | null;
  curve: WallCurve | null;
  name: string;
  state: RunState;
  corpus_name: string;
  spec: WallSpec;
  created_at: string;
  queue_position: number | null;
  machine: string | null;
  group: RunGroup | null;
  sweep: string | null;
}

/** What changes while a run trains; `best` is the lowest smooth loss. */
interface WallProgress {
  id: string;
  update: number;
  smooth_loss: number | null;
  best: number | null;
  updates_per_second: number;
  text: string | null;
  curve: WallCurve | null;
}

/** A place in an element of the page. */
interface PlaceInBox {
  kind: "box";
  target: string | null;
  x: number;
  y: number;
}

/** A place in the plot of the loss; `loss` is in nats per sequence, whatever the axes show. */
interface PlaceOnCurve {
  kind: "curve";
  update: number;
  loss: number;
}

/** A character of the text in the element with the id `target`; `index` is in UTF-16 units. */
interface PlaceInText {
  kind: "text";
  target: string;
  index: number;
}

/** The result of a round. */
interface RoundResult {
  round: number;
  character: string;
  answers: number;
  hall_bits: number;
  network_bits: number;
  right_bits: number;
  wrong_bits: number;
  chance_bits: number;
}

/** The share of the hall's answers that name a character, and the network's probability. */
interface RoundShare {
  character: string;
  hall: number;
  network: number;
}

/** The state of a run. */
type RunState = "queued" | "running" | "paused" | "finished" | "stopped" | "failed" | "interrupted";

/** One training of one network on one corpus, as requested. */
interface RunSpec {
  corpus: string | null;
  name: string | null;
  cell: string;
  hidden_size: number;
  layers: number;
  dropout: number;
  sequence_length: number;
  batch_size: number;
  order: "sequential" | "shuffled";
  optimizer: string;
  learning_rate: number;
  learning_rate_decay: number;
  clip: number | null;
  clip_mode: "value" | "norm";
  init_scale: number | null;
  validation_fraction: number;
  test_fraction: number;
  loss_smoothing: number | null;
  seed: number;
  dtype: "float32" | "float64";
  threads: number;
  max_updates: number | null;
  sample_every: number;
  sample_length: number;
  checkpoint_every_s: number;
  pace: "max" | "cinematic" | number;
  watch_words: string[] | null;
  paused: boolean;
}

/** The parent run and checkpoint of a fork. The parent may have been deleted. */
interface ForkedFrom {
  run: string;
  checkpoint: string;
  update: number;
}

/** The file from which a run has its first weights, and what was done to its arrays. */
interface GivenWeights {
  file: string;
  remarks: string[];
}

/** Losses that a user measured elsewhere: their file, the number of rows, what was assumed. */
interface OwnLosses {
  file: string;
  rows: number;
  fingerprint: string;
  remarks: string[];
}

/** The loss of the best model on the test part. */
interface LossOnTest {
  update: number;
  by: "smooth_loss" | "validation";
  nats: number;
  bits: number;
  characters: number;
  measured_at: string;
  times: number;
}

/** The group of runs to which a run belongs; its members differ in their seeds alone. */
interface RunGroup {
  id: string;
  name: string;
}

/** The loss on the held-out part of the corpus. */
interface ValidationLoss {
  update: number[];
  loss: number[];
}

/** The mean, the least and the greatest value of a metric in each bucket. */
interface MetricBuckets {
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
}

/** Quality of a text, compared with a corpus. */
interface Quality {
  real_words: number;
  longest_real_run: number;
  longest_copy: number;
  words: number | null;
  spelling: number | null;
  word_bigrams: number | null;
}

/** Text that always has the same beginning and the same random numbers, at every update. */
interface Replay {
  text: string;
  quality: Quality;
  invented_words: [number, number][];
}

/** A mistake: the equation that it concerns, what to look at, and the lines that it changes. */
interface MistakeDetails {
  name: string;
  label: string;
  equation: string;
  look_at: string;
  lines: ChangedLine[];
}

/** The relative error of every entry of a parameter, one row per unit. */
interface ParameterErrors {
  complex_step: (number | null)[][];
  central_difference: (number | null)[][];
}

/** One value of a figure. */
interface FigureValue {
  name: string;
  value: number | null;
  status: "usual" | "unusual" | "harmful" | null;
}

/** The axis on which a figure's values are drawn. Values beyond an end are drawn at it. */
interface FigureScale {
  low: number;
  high: number;
  log: boolean;
  usual: [number, number] | null;
}

/** A request for a passage. */
interface PassageRequest {
  source: string | AtUpdate;
  length: number;
  temperature: number;
  top_k: number | null;
  top_p: number | null;
  prime: string;
  seed: number | null;
  temperatures: number[] | null;
}

/** Text that a user requested. */
interface Passage {
  text: string;
  prime: string;
  seed: number;
  source: PassageSource;
  temperature: number;
  quality: Quality;
  unknown_characters: string[];
  model: string;
  fingerprint: string;
  invented_words: [number, number][];
}

/** The values that a field takes. */
interface ValueList {
  values: (boolean | number | string | null)[];
}

/** The range of a number, both ends included; on a logarithmic scale if `log` is true. */
interface ValueRange {
  low: number;
  high: number;
  log: boolean;
}

/** A matrix of shape [rows, columns] as signed bytes, row by row, in base64; 127 is `max`. */
interface Int8Matrix {
  shape: number[];
  int8: string;
  max: number;
}

/** One of the most surprising characters. */
interface SurprisingCharacter {
  index: number;
  character: string;
  word: string | null;
  surprisal: number;
  expected: [string, number][];
}

/** The fields of a run's spec that the wall shows or needs. */
interface WallSpec {
  cell: string;
  hidden_size: number;
  layers: number;
  sequence_length: number;
  batch_size: number;
  optimizer: string;
  learning_rate: number;
  seed: number;
  max_updates: number | null;
}

/** A line of the reference, and the line that a mistake has in its place. */
interface ChangedLine {
  module: string;
  right: string;
  wrong: string;
}

/** The model nearest to an update or, with a fingerprint, exactly that model. */
interface AtUpdate {
  update: number;
  model: string | null;
}

/** The model that wrote a passage. */
interface PassageSource {
  kind: "best" | "best_validation" | "latest" | "checkpoint" | "snapshot";
  update: number;
  smooth_loss: number | null;
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
  | ResyncMessage
  | HeartbeatMessage;

type WallMessage =
  | WallSnapshotMessage
  | WallUpdateMessage
  | ViewersMessage
  | ResyncMessage
  | HeartbeatMessage;

type LectureMessage =
  | LectureSnapshotMessage
  | LectureViewMessage
  | PointerMessage
  | PresentersMessage
  | ViewersMessage
  | ResyncMessage
  | HeartbeatMessage;

type GameMessage =
  | GameSnapshotMessage
  | RoundMessage
  | AnswersMessage
  | RoundResultMessage
  | ViewersMessage
  | ResyncMessage
  | HeartbeatMessage;
