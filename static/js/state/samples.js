/** Which samples the page stores, and which one it shows. */

const LIMIT_SAMPLES = 200;
const LIMIT_IN_RANGE = 150;
const ALWAYS_KEPT = 50;

/**
 * At most LIMIT_SAMPLES samples, ascending: the newest ones, those with a hurrah, and of the others
 * as many as fit, evenly selected, with a preference for those with a replay. In addition up to
 * LIMIT_IN_RANGE samples within `range`.
 *
 * @param {Sample[]} samples
 * @param {[number, number] | null} [range] of updates.
 */
export function keepSamples(samples, range = null) {
  const within = (/** @type {Sample} */ { update }) =>
    range !== null && update >= range[0] && update <= range[1];
  const kept = new Set([
    ...selectEvenly(samples, LIMIT_SAMPLES),
    ...selectEvenly(samples.filter(within), LIMIT_IN_RANGE),
  ]);
  return kept.size === samples.length ? samples : samples.filter((sample) => kept.has(sample));
}

/**
 * @param {Sample[]} samples
 * @param {number} limit
 */
function selectEvenly(samples, limit) {
  let kept = samples;
  while (kept.length > limit) {
    const old = kept.slice(0, -ALWAYS_KEPT);
    const withoutReplay = old.filter(
      (sample, i) => i > 0 && !sample.replay && !sample.hurrahs?.length,
    );
    const next = everyOther(old, withoutReplay.length ? withoutReplay : old);
    // If all of the old ones have a hurrah, the oldest one has to go.
    kept = [...(next.length < old.length ? next : old.slice(1)), ...kept.slice(-ALWAYS_KEPT)];
  }
  return kept;
}

/**
 * `samples` without every other one of `some` of them; those with a hurrah stay.
 *
 * @param {Sample[]} samples
 * @param {Sample[]} some
 */
function everyOther(samples, some) {
  const gone = new Set(some.filter((sample, i) => i % 2 && !sample.hurrahs?.length));
  if (some.length === 1) gone.add(some[0]);
  return samples.filter((sample) => !gone.has(sample));
}

/**
 * All samples, ascending; of two at the same update, the one in `others`.
 *
 * @param {Sample[]} samples
 * @param {Sample[]} others
 */
export function mergeSamples(samples, others) {
  const all = new Map([...samples, ...others].map((sample) => [sample.update, sample]));
  return [...all.values()].sort((a, b) => a.update - b.update);
}

/**
 * The index of the last sample at or before `update`; 0 if all are later.
 *
 * @param {Sample[]} samples
 * @param {number} update
 */
export function indexOfSample(samples, update) {
  return Math.max(
    samples.findLastIndex((sample) => sample.update <= update),
    0,
  );
}

/**
 * Whether the view follows the newest sample.
 *
 * @param {WatchState} state
 */
export const isLive = ({ pinned, hovered }) => pinned === null && hovered === null;

/**
 * Which text of a sample is in view: the text as it was written, which is what the live view shows,
 * or its replay, generated at every update from the same start with the same random numbers.
 *
 * @param {WatchState} state
 * @returns {TextMode}
 */
export function textModeOf(state) {
  const opened = state.asWritten && state.hovered === null;
  return isLive(state) || opened ? "written" : state.textMode;
}

/**
 * The text of a sample with its quality and invented words; as written if it has no replay.
 *
 * @param {Sample} sample
 * @param {TextMode} textMode
 * @returns {Replay}
 */
export const textOf = (sample, textMode) => (textMode === "replay" && sample.replay) || sample;

/**
 * The samples that have the text of a mode; all of them if none has.
 *
 * @param {Sample[]} samples
 * @param {TextMode} textMode
 */
export function samplesWithText(samples, textMode) {
  const found = textMode === "replay" ? samples.filter(({ replay }) => replay) : samples;
  return found.length ? found : samples;
}

/**
 * The index of the sample in view: the newest one or the one that is held, or the last one with the
 * text of the mode at or before the hovered or pinned update.
 *
 * @param {WatchState} state
 */
export function indexInView(state) {
  const { samples, hovered, pinned } = state;
  const update = hovered ?? pinned ?? state.heldSample;
  if (update === null) return samples.length - 1;
  const index = indexOfSample(samples, update);
  const found = samplesWithText(samples.slice(0, index + 1), textModeOf(state)).at(-1);
  return found ? indexOfSample(samples, found.update) : -1;
}

/**
 * The sample in view, and whether its replay is shown.
 *
 * @param {WatchState} state
 */
export function textInView(state) {
  const sample = state.samples[indexInView(state)] ?? null;
  const textMode = textModeOf(state);
  return { sample, textMode, replayed: textMode === "replay" && Boolean(sample?.replay) };
}

/**
 * The index nearest to `index`, in the direction of `step` (1 or -1), of a sample that has the text
 * of the mode; beyond the first or the last index if there is none.
 *
 * @param {WatchState} state
 * @param {number} index
 * @param {number} step
 */
export function nearestWithText({ samples, textMode }, index, step) {
  const candidates = new Set(samplesWithText(samples, textMode));
  let found = index;
  while (samples[found] && !candidates.has(samples[found])) found += step;
  return found;
}

/**
 * The watched words. The server replaces null in a spec by the names that it finds in the text.
 *
 * @param {Run | null} run
 */
export const watchWords = (run) => run?.spec.watch_words ?? [];

/**
 * The update at which each watched word was first written.
 *
 * @param {{samples: Sample[], milestones: Milestone[]}} known
 * @returns {Map<string, number>}
 */
export function firstSeen({ samples, milestones }) {
  const updates = new Map();
  const note = (/** @type {string} */ word, /** @type {number} */ update) => {
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
 * The watched words in groups: `seen` in the order in which they were first written, `pending` not
 * written yet, and `former` written, but no longer watched.
 *
 * @param {string[]} words
 * @param {Map<string, number>} updates
 */
export function groupWords(words, updates) {
  const known = [...new Set(words)];
  const first = (/** @type {string} */ a, /** @type {string} */ b) =>
    (updates.get(a) ?? 0) - (updates.get(b) ?? 0);
  return {
    seen: known.filter((word) => updates.has(word)).sort(first),
    pending: known.filter((word) => !updates.has(word)),
    former: [...updates.keys()].filter((word) => !known.includes(word)).sort(first),
  };
}
