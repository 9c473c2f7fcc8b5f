/** A short glow on the mark of a new hurrah. */

import { smoothAt } from "../curve/loss-curve.js";
import { animate, el, find } from "../lib/dom.js";
import { MARGIN, scalesOf } from "../curve/scales.js";

const GLOW_MS = 1800;
const KEYFRAMES = [
  { opacity: 0, scale: 0.3 },
  { opacity: 0.55, scale: 1, offset: 0.25 },
  { opacity: 0, scale: 1.9 },
];
let lastShown = null;

/** Animate the mark of the newest hurrah once. */
export function glow(state, size) {
  const update = state.freshHurrah;
  const name = `${state.runId} ${update}`;
  if (update === null || name === lastShown) return;
  lastShown = name;
  const { updateToPixel, lossToPixel, width } = scalesOf(state, size);
  const x = updateToPixel(Math.max(update, 1));
  const loss = smoothAt(state.curve, update);
  if (loss === null || x < 0 || x > width) return;
  const ring = el("div", { class: "glow" });
  ring.style.translate = `${MARGIN.l + x}px ${MARGIN.t + lossToPixel(loss)}px`;
  const animation = animate(ring, KEYFRAMES, { duration: GLOW_MS, easing: "ease-out" });
  if (!animation) return;
  find("#chart-overlay").append(ring);
  animation.addEventListener("finish", () => ring.remove());
}
