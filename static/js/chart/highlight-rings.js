/** Rings on the curve: around the sample in view, and around the loss whose reading is open. */

import { smoothAt } from "../curve/loss-curve.js";
import { find } from "../lib/dom.js";
import { MARGIN, markedCurve } from "../curve/scales.js";
import { indexInView } from "../state/samples.js";

/** What the positions of the rings depend on. */
export const ringInputs = (state) => [
  state.samples[indexInView(state)],
  ...[state.pinned, state.sideTab, state.reading],
];

/**
 * Update the rings. They lie above the drawing, which does not have to be repeated.
 *
 * @param {WatchState} state
 * @param {ChartScales} scales
 */
export function showRings(state, scales) {
  const viewed = state.samples[indexInView(state)];
  // A sample before the first update is shown at the start of the curve.
  const update = viewed && Math.max(viewed.update, 1);
  const smooth = viewed ? smoothAt(markedCurve(state), update) : null;
  moveRing(find("#viewed-ring"), update, smooth, scales);
  const { sideTab, pinned, reading } = state;
  const open = sideTab === "reading" && pinned !== null && reading?.update === pinned;
  moveRing(find("#reading-ring"), open ? pinned : null, open ? reading.loss : null, scales);
}

function moveRing(ring, update, loss, { range: [from, to], updateToPixel, lossToPixel }) {
  const inView = loss !== null && update >= from && update <= to;
  ring.hidden = !inView;
  if (!inView) return;
  ring.style.translate = `${MARGIN.l + updateToPixel(update)}px ${MARGIN.t + lossToPixel(loss)}px`;
}
