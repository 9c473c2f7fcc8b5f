/** Rings on the curve: around the sample in view, and at the loss whose reading is open. */

import { smoothAt } from "../curve/loss-curve.js";
import { find } from "../lib/dom.js";
import { MARGIN, markedCurve } from "../curve/scales.js";
import { indexInView } from "../state/samples.js";

/** What the rings are about: another value of any of these is another place. */
export const SPOTTED = (state) => [
  state.samples[indexInView(state)],
  ...[state.pinned, state.card, state.reading],
];

/**
 * Bring the rings up to date. They lie over the drawing, which need not be made anew for them.
 *
 * @param {Object} state
 * @param {Object} picture see curve/scales.js.
 */
export function showSpots(state, picture) {
  const viewed = state.samples[indexInView(state)];
  // What comes before the first update stands at its beginning.
  const update = viewed && Math.max(viewed.update, 1);
  const smooth = viewed ? smoothAt(markedCurve(state), update) : null;
  place(find("#viewed-spot"), update, smooth, picture);
  const { card, pinned, reading } = state;
  const open = card === "reading" && pinned !== null && reading?.update === pinned;
  place(find("#read-spot"), open ? pinned : null, open ? reading.loss : null, picture);
}

function place(spot, update, loss, { range: [from, to], updateToPixel, lossToPixel }) {
  const inView = loss !== null && update >= from && update <= to;
  spot.hidden = !inView;
  if (!inView) return;
  spot.style.translate = `${MARGIN.l + updateToPixel(update)}px ${MARGIN.t + lossToPixel(loss)}px`;
}
