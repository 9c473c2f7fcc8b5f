/** The samples a page keeps, and which of them it shows. */

const LIMIT_SAMPLES = 200;
const LIMIT_IN_RANGE = 150;
const ALWAYS_KEPT = 50;

/**
 * At most LIMIT_SAMPLES samples, ascending: the newest ones, those with a hurrah, and of the rest
 * as many as fit, evenly thinned, those with a replay first. Of those within `range`, the updates
 * that the reader looks at closely, up to LIMIT_IN_RANGE more.
 */
export function keepSamples(samples, range = null) {
  const within = ({ update }) => range && update >= range[0] && update <= range[1];
  const kept = new Set([
    ...thin(samples, LIMIT_SAMPLES),
    ...thin(samples.filter(within), LIMIT_IN_RANGE),
  ]);
  return kept.size === samples.length ? samples : samples.filter((sample) => kept.has(sample));
}

function thin(samples, limit) {
  let kept = samples;
  while (kept.length > limit) {
    const old = kept.slice(0, -ALWAYS_KEPT);
    const lacking = old.filter((sample, i) => i > 0 && !sample.replay && !sample.hurrahs?.length);
    const next = everyOther(old, lacking.length ? lacking : old);
    // When all of the old ones carry a hurrah, the oldest have to go after all.
    kept = [...(next.length < old.length ? next : old.slice(1)), ...kept.slice(-ALWAYS_KEPT)];
  }
  return kept;
}

/** `samples` without every other one of `some` of them, but for those with a hurrah. */
function everyOther(samples, some) {
  const gone = new Set(some.filter((sample, i) => i % 2 && !sample.hurrahs?.length));
  if (some.length === 1) gone.add(some[0]);
  return samples.filter((sample) => !gone.has(sample));
}

/** `samples` and others, ascending; of two at the same update, the other. */
export function mergeSamples(samples, others) {
  const all = new Map([...samples, ...others].map((sample) => [sample.update, sample]));
  return [...all.values()].sort((a, b) => a.update - b.update);
}

/** The index of the last sample at or before `update`; 0 when all are later. */
export function indexOfSample(samples, update) {
  return Math.max(samples.findLastIndex((sample) => sample.update <= update), 0);
}

/** Whether the newest sample is shown, and whatever is newer when it comes. */
export const isLive = ({ pinned, hovered }) => pinned === null && hovered === null;

/**
 * Which of a sample's two texts is in view: "replay", its replay, which at every update is written
 * with the same random numbers; or "written", as it was written then, which is what live shows.
 */
export function textModeOf(state) {
  const opened = state.asWritten && state.hovered === null;
  return isLive(state) || opened ? "written" : state.textMode;
}

/** A sample's text with its quality and invented words; as it was written where no replay is. */
export const textOf = (sample, textMode) =>
  (textMode === "replay" && sample.replay) || sample;

/** The samples that have the text that is told; all of them where none has. */
export function samplesWithText(samples, textMode) {
  const found = textMode === "replay" ? samples.filter(({ replay }) => replay) : samples;
  return found.length ? found : samples;
}

/**
 * The index of the sample in view: the newest, or the last one before what is pointed at, else
 * pinned, that has the text that is told.
 */
export function indexInView(state) {
  const { samples, hovered, pinned } = state;
  if (isLive(state)) return samples.length - 1;
  const index = indexOfSample(samples, hovered ?? pinned);
  const found = samplesWithText(samples.slice(0, index + 1), textModeOf(state));
  return found.length ? indexOfSample(samples, found.at(-1).update) : -1;
}

/** The text in view, and the replay before it that it may be compared with. */
export function textInView(state) {
  const index = indexInView(state);
  const sample = state.samples[index] ?? null;
  const textMode = textModeOf(state);
  const replayed = textMode === "replay" && Boolean(sample?.replay);
  const before = replayed ? state.samples.slice(0, index).findLast(({ replay }) => replay) : null;
  return { sample, textMode, replayed, before: before ?? null };
}

/**
 * The index nearest to `index` in the direction of `step` (1 or -1) whose sample has the text that
 * the past is told with; beyond the first or the last where none is.
 */
export function nearestWithText({ samples, textMode }, index, step) {
  const candidates = new Set(samplesWithText(samples, textMode));
  let found = index;
  while (samples[found] && !candidates.has(samples[found])) found += step;
  return found;
}

/** The words being watched: asked for, or found in the text by the server itself. */
export const watchWords = (run) => run?.spec.watch_words ?? run?.watch_words ?? [];

/** When each watched word came: a Map from word to update. */
export function firstSeen({ samples, milestones }) {
  const updates = new Map();
  const note = (word, update) => {
    if (!updates.has(word) || updates.get(word) > update) updates.set(word, update);
  };
  for (const { kind, text, update } of milestones) {
    const word = kind === "hurrah" ? /^hurrah\s*[-–:]\s*(.+?)!?$/iu.exec(text)?.[1] : null;
    if (word) note(word, update);
  }
  for (const { hurrahs, update } of samples) for (const word of hurrahs ?? []) note(word, update);
  return updates;
}

/**
 * The words on the wall: those that have come, in the order in which they did, then the awaited;
 * `former` came, but are watched no longer.
 */
export function groupWords(words, updates) {
  const known = [...new Set(words)];
  const first = (a, b) => updates.get(a) - updates.get(b);
  return {
    seen: known.filter((word) => updates.has(word)).sort(first),
    pending: known.filter((word) => !updates.has(word)),
    former: [...updates.keys()].filter((word) => !known.includes(word)).sort(first),
  };
}
