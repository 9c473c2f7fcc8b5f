/** Holds each sample in the live view long enough to read it, and then goes to the newest one. */

import { isLive } from "../state/samples.js";

const READ_MS_A_CHARACTER = 25;
const LEAST_MS = 2000;
const MOST_MS = 8000;

/**
 * How long a text of this length is held, in milliseconds.
 *
 * @param {number} characters
 */
const holdTime = (characters) =>
  Math.min(Math.max(characters * READ_MS_A_CHARACTER, LEAST_MS), MOST_MS);

/** @param {WatchStore} store */
export function mountSampleHold(store) {
  /** @type {Sample | null} */
  let read = null; // the sample that the user reads
  let until = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function follow() {
    clearTimeout(timer);
    const state = store.get();
    const { samples, run, heldSample, playback } = state;
    const newest = samples.at(-1) ?? null;
    const left = until - performance.now();
    // After an earlier sample, the live view shows the newest one.
    if (!isLive(state)) read = null;
    const arriving = run?.state === "running" || playback !== null;
    // A run that is not training writes nothing more, or one sample when the user asks for it.
    if (arriving && read && newest && newest.update > read.update && left > 0) {
      timer = setTimeout(follow, left);
      if (heldSample !== read.update) {
        store.dispatch({ type: "holdSample", update: read.update });
      }
      return;
    }
    if (isLive(state)) {
      if (newest?.update !== read?.update) {
        until = performance.now() + holdTime(newest?.text.length ?? 0);
      }
      read = newest;
    }
    if (heldSample !== null) store.dispatch({ type: "holdSample", update: null });
  }

  store.watch(
    (state) => [
      ...[state.samples, state.run?.state, state.playback === null, state.runId],
      isLive(state),
    ],
    follow,
  );
}
