/** The samples a page keeps, and which of them it shows. */

const LIMIT_SAMPLES = 200;
const ALWAYS_KEPT = 50;

/**
 * At most LIMIT_SAMPLES samples, ascending: the newest ones, those with a hurrah, and of the rest
 * as many as fit, evenly thinned.
 */
export function keepSamples(samples) {
  let kept = samples;
  while (kept.length > LIMIT_SAMPLES) {
    const old = kept.slice(0, -ALWAYS_KEPT);
    const thinned = old.filter((sample, i) => i % 2 === 0 || sample.hurrahs?.length);
    // When all of the old ones carry a hurrah, the oldest have to go after all.
    const next = thinned.length < old.length ? thinned : old.slice(1);
    kept = [...next, ...kept.slice(-ALWAYS_KEPT)];
  }
  return kept;
}

/** The index of the last sample at or before `update`; 0 when all are later. */
export function indexOfSample(samples, update) {
  let found = 0;
  samples.forEach((sample, i) => {
    if (sample.update <= update) found = i;
  });
  return found;
}

/** The index of the sample in view: pointed at, else pinned, else the newest. */
export function indexInView({ samples, pointed, pinned }) {
  const update = pointed ?? pinned;
  return update === null ? samples.length - 1 : indexOfSample(samples, update);
}

/** The words being watched: asked for, or found in the text by the server itself. */
export const watchWords = (run) => run?.spec.watch_words ?? run?.watch_words ?? [];

/** When each watched word came: a Map from word to update. */
export function arrivals({ samples, milestones }) {
  const came = new Map();
  const note = (word, update) => {
    if (!came.has(word) || came.get(word) > update) came.set(word, update);
  };
  for (const { kind, text, update } of milestones) {
    const word = kind === "hurrah" ? /^hurrah\s*[-–:]\s*(.+?)!?$/iu.exec(text)?.[1] : null;
    if (word) note(word, update);
  }
  for (const { hurrahs, update } of samples) for (const word of hurrahs ?? []) note(word, update);
  return came;
}
