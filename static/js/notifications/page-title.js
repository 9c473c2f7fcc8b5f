/** The title of the page: the update and the loss of the run, for a tab in the background. */

import { lossUnit } from "../curve/scales.js";
import * as format from "../lib/format.js";
import { isOutdated } from "../ui/connection.js";

const BETWEEN_MS = 1000;

/** @param {WatchStore} store */
export function mountPageTitle(store) {
  let writtenAt = -Infinity;
  let stateBefore = "";
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function write() {
    clearTimeout(timer);
    timer = undefined;
    writtenAt = performance.now();
    const text = titleOf(store.get());
    if (document.title !== text) document.title = text;
  }

  store.watch(
    (state) => [state.run, state.unit, isOutdated(state), state.playback !== null],
    (run, ...shown) => {
      // A tab in the background has slow timers, so a message that is late enough needs none.
      const left = BETWEEN_MS - (performance.now() - writtenAt);
      const now = [run?.id, run?.name, run?.state, ...shown].join();
      if (left <= 0 || now !== stateBefore) write();
      else timer ??= setTimeout(write, left);
      stateBefore = now;
    },
  );
}

/**
 * "12,400 · 63.2 · The Lamps of Saltmere · Hurrah": a tab shows the beginning only. The state
 * comes first unless the run is training.
 *
 * @param {WatchState} state
 */
export function titleOf(state) {
  const { run, playback } = state;
  if (!run) return "Hurrah";
  const unit = lossUnit(state);
  const outdated = isOutdated(state);
  const known = playback ? "replay" : format.knownState(run.state, outdated, true);
  return [
    ...(run.state === "running" && !outdated && !playback ? [] : [known]),
    format.count(run.update),
    format.rounded(unit.of(run.smooth_loss), unit.digits),
    format.isolateDirection(run.name),
    "Hurrah",
  ].join(" · ");
}
