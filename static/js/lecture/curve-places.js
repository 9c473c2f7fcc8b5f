/**
 * Places in the plot of the loss, as updates and losses: the same point of the curve in a window of
 * any size, and with any axes.
 */

import { find } from "../lib/dom.js";
import { MARGIN, scalesOf } from "../curve/scales.js";

const DIGITS = 7;

/**
 * @typedef {Object} CurvePlaces
 * @property {(target: Element, x: number, y: number) => PlaceOnCurve | null} at the place below a
 *   pointer in the window; null outside of the plot.
 * @property {(place: PlaceOnCurve) => {x: number, y: number} | null} locate where a place is in the
 *   window; null if it is not in view.
 * @property {(update: number | null) => void} hover shows the sample and the losses there, as if
 *   the pointer were on this page.
 *
 * @param {WatchStore} store
 * @param {() => Size} sizeOf the size of the whole chart in pixels.
 * @returns {CurvePlaces}
 */
export function curvePlaces(store, sizeOf) {
  const frame = find("#chart");
  const scales = () => scalesOf(store.get(), sizeOf());
  const isDrawn = () => store.get().run !== null && frame.clientWidth > 0;
  const corner = () => {
    const { left, top } = frame.getBoundingClientRect();
    return { left: left + MARGIN.l, top: top + MARGIN.t };
  };
  return {
    at(target, x, y) {
      if (!frame.contains(target) || target.closest(".pin-card") || !isDrawn()) return null;
      const { left, top } = corner();
      const { width, height, pixelToUpdate, pixelToLoss } = scales();
      if (x < left || x > left + width || y < top || y > top + height) return null;
      const update = Math.max(pixelToUpdate(x - left), 0);
      const loss = pixelToLoss(y - top);
      // Below 0 there is no perplexity.
      if (!Number.isFinite(loss)) return null;
      return { kind: "curve", update: rounded(update), loss: rounded(loss) };
    },
    locate({ update, loss }) {
      if (!isDrawn()) return null;
      const { left, top } = corner();
      const { width, height, updateToPixel, lossToPixel } = scales();
      const [x, y] = [updateToPixel(update), lossToPixel(loss)];
      if (!(x >= -1 && x <= width + 1)) return null;
      return { x: left + x, y: top + Math.min(Math.max(y, 0), height) };
    },
    hover: (update) => store.dispatch({ type: "hover", update }),
  };
}

/** @param {number} value */
const rounded = (value) => Number(value.toPrecision(DIGITS));
