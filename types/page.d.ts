// What the modules of the page hand to each other. Read by the TypeScript compiler in `make lint`;
// nothing of it is served.

interface Window {
  Plotly: any;
  trustedTypes?: { createPolicy(name: string, rules: object): void };
}

/** A piece of the loss curve, of a message or of a Loss. */
interface CurvePart extends Omit<Curve, "seconds"> {
  /** Missing in what an earlier version wrote. */
  seconds?: Curve["seconds"];
}

/** The mean of a group and the band around it, of losses or of a metric. */
interface GroupBand {
  update: number[];
  seconds?: (number | null)[];
  mean: (number | null)[];
  low: (number | null)[];
  high: (number | null)[];
  deviation: (number | null)[];
}

/** A half-open span of a text, in code points. */
type Span = [number, number];

/** A problem document (RFC 9457). */
interface ProblemDocument {
  title?: string;
  detail?: string;
  status?: number;
  errors?: { field: string; message: string }[];
}

type Size = { width: number; height: number };
type Scale = "linear" | "log";
type Colours = Record<string, string> & { series?: Record<string, string> };
type SeriesColours = Colours & { series: Record<string, string> };
/**
 * The connection to a run. `silent`: it is open, but no message has arrived for `silentS` seconds.
 * `polling`: messages arrive over HTTP, since no WebSocket gets through, for the `reason`.
 */
interface Connection {
  status: "connecting" | "live" | "silent" | "waiting" | "polling" | "gone";
  retryInS: number | null;
  silentS: number | null;
  reason: string | null;
  /** When the last message arrived, by this device's clock in milliseconds; null: none yet. */
  heardAt: number | null;
}

/** What the x axis shows, and the way there and back from updates. */
interface XAxis {
  name: string;
  label: string;
  of: (update: number) => number;
  toUpdate: (value: number) => number;
  /** Where a logarithmic axis begins. */
  logStart: number;
  /** An axis is never shorter than this. */
  minSpan: number;
}

/** A unit of the loss, and the way there and back from nats a sequence. */
interface LossUnit {
  name: string;
  label: string;
  of: (loss: number | null) => number | null;
  toNats: (value: number) => number;
  digits: number;
}

/** Where things are on the chart; see static/js/curve/scales.js. */
interface ChartScales {
  size: Size;
  width: number;
  height: number;
  xAxis: XAxis;
  unit: LossUnit;
  spanX: [number, number];
  spanY: [number, number];
  logX: boolean;
  logY: boolean;
  range: [number, number];
  curve: Curve;
  validation: ValidationLoss;
  /** The user's losses: the line, and the band between the extremes. */
  own: OwnCurve;
  ownBand: OwnCurve;
  /** The mean of the run's group as `smooth`, and the band around it. */
  seeds: OwnCurve;
  /** The losses that are drawn one by one, and the pieces of the band around the others. */
  losses: { update: number[]; loss: (number | null)[] };
  band: { update: number[]; low: number[]; high: number[] }[];
  updateToPixel: (update: number) => number;
  pixelToUpdate: (pixel: number) => number;
  lossToPixel: (loss: number) => number;
  pixelToLoss: (pixel: number) => number;
}

/** Where the presenter of a lecture points. */
type LecturePointer = NonNullable<PointerMessage["pointer"]>;

interface PositionRow {
  epoch: number;
  loss: (number | null)[];
  whole: boolean;
}

interface PositionLosses {
  positions: number[];
  rows: PositionRow[];
  variance: ExplainedLoss;
}

/** The last message of each type that has no handler in static/js/state/reducers.js. */
type LatestMessages = { [M in ServerMessage as M["type"]]?: M };

/** The part of the watch page's state that belongs to the run in view. */
interface RunViewState {
  run: Run | null;
  samples: Sample[];
  milestones: Milestone[];
  checkpoints: Checkpoint[];
  allCheckpoints: Checkpoint[];
  curve: Curve;
  validation: ValidationLoss;
  refining: boolean;
  detail: (CurvePart & { from: number }) | null;
  reached: Record<string, number>;
  smoothed: { curve: Curve; exact: number } | null;
  viewers: number | null;
  pinned: number | null;
  hovered: number | null;
  heldSample: number | null;
  /** The update of a playback, the state of the run that is played, and what the playback hides. */
  playback: { update: number; state?: RunState; whole: Partial<WatchState> | null } | null;
  asWritten: boolean;
  peakRange: [number, number] | null;
  reading: UpdateSurprisal | null;
  readingError: string | null;
  lossByPosition: PositionLosses | null;
  metrics: MetricCurves;
  /** Finer metrics of the updates in view. */
  metricDetail: MetricCurves | null;
  ownLosses: ShownLosses | null;
  /** The losses of the run's group. */
  groupLoss: GroupLoss | null;
  freshHurrah: number | null;
  knownHurrahs: string[];
  latest: LatestMessages;
  newHurrah: { update: number; words: string[] } | null;
  passage: PassageRequest | null;
  range: [number, number] | null;
  scale: Scale | null;
}

/** A metric that can be compared. */
type MetricName = { name: string; label: string; unit: string };

/** The metrics of a range of updates; `update` is the last of each bucket. */
type MetricCurves = Pick<Metrics, "update" | "metrics">;

/** The user's losses over the chart, and whether they are kept with the run. */
type ShownLosses = { result: OwnLossesResult; kept: boolean };

/** A corpus as the list has it: without its headings, until it is requested itself. */
type ListedCorpus = Omit<Corpus, "headings"> & Partial<Pick<Corpus, "headings">>;

/** The state of the watch page. */
interface WatchState extends RunViewState {
  operator: boolean;
  runId: string | null;
  runs: Run[] | null;
  allRuns: Run[] | null;
  pendingDelete: string[];
  corpora: Record<string, ListedCorpus>;
  connection: Connection;
  sideTab: "writing" | "reading";
  textMode: TextMode;
  curveTab: "time" | "position";
  metricsShown: boolean;
  newRun: string | null;
  /** What varies in the form for a new run, as in the URL; null for a single run. */
  vary: string | null;
  xAxis: string;
  unit: string;
  lossScale: Scale;
  smoothing: string;
  /** What the band of the run's group shows; see static/js/curve/seed-band.js. */
  seeds: string;
}

/** The replay of a sample, or the sample as it was written. */
type TextMode = "replay" | "written";

/** A change of the state; `type` names the handler in static/js/state/reducers.js. */
type Action = { type: string; [field: string]: any };

interface Store<S> {
  get(): S;
  dispatch(...actions: Action[]): void;
  watch(select: (state: S) => any[], show: (...values: any[]) => void): void;
}

type WatchStore = Store<WatchState>;

/** The state of the Inside page. */
interface InsideState {
  operator: boolean;
  /** Newest first. */
  runs: Run[] | null;
  runId: string | null;
  run: Run | null;
  connection: Connection;
  viewers: number | null;
  /** The updates of the stored snapshots, ascending. */
  snapshots: number[];
  /** The network in view: the live one, or the snapshot nearest to an update. */
  source: "latest" | { update: number };
  /** The probe text; null until it is known. */
  text: string | null;
  /** A passage of the run's corpus. */
  defaultText: string | null;
  temperature: number;
  /** What the probe text is tinted by. */
  tint: "surprisal" | "gradient";
  /** The index of the selected character of the probe text. */
  position: number | null;
  /** The index of the character below the pointer. */
  hovered: number | null;
  unit: { layer: number; unit: number } | null;
  /** The selected stretch of the probe text, in characters. */
  stretch: { from: number; to: number } | null;
  /** A unit is active where its activation exceeds this, with either sign. */
  threshold: number;
  /** Whether to take only units that are not active just before and after the stretch. */
  edges: boolean;
  /** Whether to take only the selected unit. */
  onlyUnit: boolean;
  /** The run's update when the experiments with units were last repeated by hand. */
  askedAt: number | null;
  /** The value at which the selected unit is held, and the seed of the passages. */
  held: number;
  seed: number;
  /** Whether the passages with and without it are on the screen. */
  holding: boolean;
  /** What the units of the network in view follow; null until it is known. */
  unitList: UnitList | null;
  /** The newest probe. Its text may be older than `text`. */
  probe: Probe | null;
  /** The probability of a character over the training, and whose it is. */
  history: (ProbeHistory & { text: string; index: number }) | null;
  health: Health | null;
  /** The memory of the run in view, then of the compared ones; null where there is none. */
  memories: { id: string; memory: Memory | null }[] | null;
  /** The runs that the user chose to compare, "" for none; null: those chosen by themselves. */
  compared: string[] | null;
  /** The steps back in time that are read off; null: as many as training carries gradients. */
  lag: number | null;
  /** The view in front. */
  view: string;
  /** The position in the update that is taken apart, from 0. */
  updateStep: number;
  /** Why there is no newer probe, in a sentence. */
  problem: string | null;
}

type InsideStore = Store<InsideState>;

/** A run of the comparison, kept current by its WebSocket. */
interface LiveRun {
  run: Run;
  curve: Curve;
  refining: boolean;
  lowestLoss: { update: number; loss: number } | null;
  validation: ValidationLoss;
  checkpoints: Checkpoint[];
  /** The members, if several seeds are compared as one run; `run` has their means. */
  group?: { figures: MemberFigures[]; loss: GroupLoss; goal: number | null };
}

/** A selected run in view; `slot` is the index of its style in SERIES_STYLES. */
interface ComparedRun extends LiveRun {
  id: string;
  slot: number;
  /** Whether there has been no news of it for a while. */
  outdated: boolean;
}

type ComparisonUnit = "character" | "bits" | "sequence";

/** The state of the comparison page. Objects are by run id. */
interface CompareState {
  operator: boolean;
  /** Newest first. */
  allRuns: Run[] | null;
  /** Without those in `pendingDelete`. */
  runs: Run[] | null;
  /** Whether the last request for the list of runs had no answer. */
  unreachable: boolean;
  pendingDelete: string[];
  /** Ids in the order of selection. */
  chosen: string[];
  dropped: string[];
  /** Fixed while the run is selected. */
  slots: Record<string, number>;
  live: Record<string, LiveRun>;
  connections: Record<string, Connection>;
  /** Finer points of the zoomed range. */
  details: Record<string, CurvePart & { from: number; band?: GroupBand }>;
  /** The user's losses that are kept with a run. */
  own: Record<string, OwnCurve>;
  metricNames: MetricName[];
  /** The name of the metric that is drawn instead of the loss. */
  metric: string | null;
  metricCurves: Record<string, CurvePart & { band?: GroupBand }>;
  x: "updates" | "epochs" | "seconds";
  y: ComparisonUnit;
  scale: Scale;
  /** Whether the validation losses are drawn beside the smooth losses. */
  validation: "hidden" | "shown";
  /** In units of x; the end is Infinity if it follows the live end. */
  range: [number, number] | null;
  /** Set by the user, in nats per character. */
  goal: number | null;
  suggested: number | null;
  reached: Record<string, { goal: number; update: number; seconds: number | null }>;
  sort: { by: string; descending: boolean } | null;
  /** What the bands of groups show; see static/js/curve/seed-band.js. */
  seeds: string;
}

type CompareStore = Store<CompareState>;

/** A parameter of the URL: its text, or null where it is left out, and what the text means. */
interface UrlParameter {
  read: (state: any) => string | null | undefined;
  parse: (text: string) => object | null;
}

/** The query of a problem of the course, as in its URL. */
type ProblemQuery = Record<string, string>;
/** A mistake that networks can be trained with, and how it shows. */
interface DescribedMistake {
  name: string;
  label: string;
  equation: string;
  look_at: string;
  lines: { right: string; wrong: string }[];
  min_layers: number;
  verdict: "hidden" | "beside" | "visible" | null;
  sentence: string | null;
  measured: string | null;
}

/** A table to copy, see static/js/ui/table-text.js. */
interface TextTable {
  caption: string;
  heads: string[];
  /** "l" or "r" for each column. */
  align: string;
  rows: string[][];
  /** The cells of the first columns in LaTeX, where they are formulas and not text. */
  latex?: ((cell: string) => string)[];
}

/** The values of a parameter of a sweep, or its range. */
interface SweepRange {
  values?: any[];
  low?: number;
  high?: number;
  log?: boolean;
}

/** The runs of a sweep that have the same values of its parameters, one for each seed. */
interface Configuration {
  /** From 1, in the order in which they were tried. */
  number: number;
  parameters: Record<string, any>;
  runs: SweepRun[];
  /** The mean of the runs' values, those of now as long as they train; null if there is none. */
  value: number | null;
  /** The standard deviation of the runs' values; null for fewer than two. */
  deviation: number | null;
  /** The mean of the runs' updates. */
  update: number;
  state: string;
  /** Whether early stopping ended one of its runs. */
  early: boolean;
  /** Whether its runs so far have ended. */
  ended: boolean;
  /** The id of its best run; null if all were deleted. */
  watch: string | null;
}

/** The state of the page of sweeps. */
interface SweepsState {
  operator: boolean;
  /** The sweep in view; null: the list of all. */
  sweepId: string | null;
  /** Newest first. */
  sweeps: Sweep[] | null;
  sweep: Sweep | null;
  unreachable: boolean;
  /** Whether the sweep in view does not exist. */
  gone: boolean;
  pendingDelete: string[];
  sort: { by: string; descending: boolean };
  /** The parts of the axes that are selected, as shares of their lengths. */
  filters: Record<string, [number, number]>;
  /** The configuration under the pointer or with the focus. */
  pointed: number | null;
}

type SweepsStore = Store<SweepsState>;

/** What a network's summary names; see static/js/lib/network-summary.js. */
interface NetworkSpec {
  cell: string;
  hidden_size: number;
  layers: number;
  batch_size: number;
  sequence_length: number;
  optimizer: string;
  learning_rate: number;
}

/** What lists of runs need to know of each. */
interface ListedRun {
  id: string;
  name: string;
  state: RunState;
  corpus_name: string;
  created_at: string;
  queue_position?: number | null;
  spec: NetworkSpec & { seed: number };
}

/** The state of the wall. Runs are by id. */
interface WallState {
  runs: Record<string, WallRun> | null;
  /** The runs whose curves are asked for: what has arrived of each since. */
  asked: Record<string, WallProgress[]>;
  /** The ids of the runs that match, in the order of their cards. */
  order: string[];
  /** The range of all charts, in nats per character. */
  range: [number, number];
  /** How many cards there are, at most. */
  shown: number;
  viewers: number | null;
  connection: Connection;
  sort: string;
  filter: string;
  text: string;
  /** A cell, the name of a corpus, and "group:ID" or "sweep:ID"; "" for any. */
  cell: string;
  corpus: string;
  set: string;
  size: "small" | "medium" | "large";
}

interface WallRun {
  /** Whether it was deleted; its card stays until the cards are sorted again. */
  removed?: boolean;
}

/** A game as its page knows it. */
type Game = Omit<GameSnapshotMessage, "type" | "seq" | "sent_at">;

/** The state of the page of a game. */
interface GuessState {
  presents: boolean;
  connection: Connection;
  /** null: nothing is known yet. */
  game: Game | null;
  /** Why the game is over for this page. */
  over: string | null;
  /** The time left in the open round when the newest message arrived, by `performance.now()`. */
  clock: { leftS: number; at: number } | null;
  /** This player's answers that count, by round. */
  answers: Record<number, string>;
  /** The answer that is being sent. */
  sending: string | null;
  problem: string | null;
}
