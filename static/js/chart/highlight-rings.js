/** Rings on the curve: around the sample in view, and at the loss whose reading is open. */

import { smoothAt } from "../curve/loss-curve.js";
import { find } from "../lib/dom.js";
import { MARGIN, markedCurve } from "../curve/scales.js";
import { indexInView } from "../state/samples.js";

/** What the rings are about: another value of any of these is another place. */
export const ringInputs = (state) => [
  state.samples[indexInView(state)],
  ...[state.pinned, state.sideTab, state.reading],
];

/**
 * Bring the rings up to date. They lie over the drawing, which need not be made anew for them.
 *
 * @param {Object} state
 * @param {Object} scales see curve/scales.js.
 */
export function showRings(state, scales) {
  const viewed = state.samples[indexInView(state)];
  // What comes before the first update stands at its beginning.
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
