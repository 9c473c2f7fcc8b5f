/** The state of a run as it was at an earlier update, for a playback. Pure functions. */

import { slicePoints, smoothAt } from "../curve/loss-curve.js";
import { memoize } from "../lib/memoize.js";

/** The parts of the state that a playback replaces. */
const PARTS = /** @type {const} */ ([
  ...["run", "curve", "smoothed", "validation", "reached", "samples", "milestones", "checkpoints"],
]);

/**
 * The complete state, including the part that a playback hides.
 *
 * @param {WatchState} state
 * @returns {WatchState}
 */
export const wholeState = (state) =>
  state.playback ? { ...state, ...state.playback.whole } : state;

/**
 * The state as it was at the update of the playback, if any. Ends when the run continues.
 *
 * @param {WatchState} state a whole one.
 * @returns {WatchState}
 */
export function playedState(state) {
  const { playback, run } = state;
  if (!playback) return state;
  if (!run || run.state !== playback.state) return { ...state, playback: null };
  const { whole, played } = partsAt(state, playback.update);
  return { ...state, ...played, playback: { ...playback, whole } };
}

/** Memoized, so that what does not change stays the same object, which is not drawn again. */
const partsAt = memoize(
  (/** @type {WatchState} */ state, /** @type {number} */ update) => [
    ...PARTS.map((name) => state[name]),
    update,
  ],
  (state, update) => {
    const whole = /** @type {Pick<WatchState, typeof PARTS[number]>} */ (
      Object.fromEntries(PARTS.map((name) => [name, state[name]]))
    );
    const until = (/** @type {{update: number}} */ thing) => thing.update <= update;
    const curve = curveUntil(state.curve, update);
    const { validation, smoothed } = state;
    const validated = validation.update.filter((at) => at <= update).length;
    return {
      whole,
      played: {
        run: runAt(/** @type {Run} */ (state.run), curve, update),
        curve,
        smoothed: smoothed && { ...smoothed, curve: curveUntil(smoothed.curve, update) },
        validation: {
          update: validation.update.slice(0, validated),
          loss: validation.loss.slice(0, validated),
        },
        reached: Object.fromEntries(
          Object.entries(state.reached).filter(([, reached]) => reached <= update),
        ),
        samples: state.samples.filter(until),
        milestones: state.milestones.filter(until),
        checkpoints: state.checkpoints.filter(until),
      },
    };
  },
);

/**
 * @param {Curve} curve
 * @param {number} update
 */
function curveUntil(curve, update) {
  const beyond = curve.update.findIndex((at) => at > update);
  return slicePoints(curve, 0, beyond < 0 ? curve.update.length : Math.max(beyond, 1));
}

/**
 * The figures of a run at an earlier update, as far as its curve tells them.
 *
 * @param {Run} run
 * @param {Curve} curve up to that update.
 * @param {number} update
 * @returns {Run}
 */
function runAt(run, curve, update) {
  const perEpoch = Math.max(run.updates_per_epoch, 1);
  let best = /** @type {Run["best"]} */ (null);
  curve.smooth.forEach((smooth, i) => {
    if (smooth === null || (best && smooth >= best.smooth_loss)) return;
    best = { update: curve.update[i], smooth_loss: smooth };
  });
  return {
    ...run,
    update,
    epoch: Math.floor(Math.max(update - 1, 0) / perEpoch) + 1,
    position: (Math.max(update - 1, 0) % perEpoch) * run.spec.sequence_length,
    smooth_loss: smoothAt(curve, update),
    best,
    ...{ validation_loss: null, validation_update: null, diverged_since: null },
  };
}
