/** The controls under the chart: axes, resolution, follow. */

import { largestBucket } from "../curve/loss-curve.js";
import { find, radios, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { xAxis, finestCurve, viewRange } from "../curve/scales.js";
import { drawnFactor } from "../curve/smoothing.js";
import { popover } from "../ui/popover.js";

const CHOICES = ["xAxis", "unit", "smoothing"];

/** @param {WatchStore} store */
export function mountChartControls(store) {
  const follow = find("#follow");
  const scales = radios("scale");
  follow.addEventListener("click", () => store.dispatch({ type: "zoom", range: null }));
  for (const input of scales) {
    input.addEventListener("change", () => store.dispatch({ type: "scale", scale: input.value }));
  }
  store.watch(
    (state) => [state.range === null, state.scale],
    (following, scale) => {
      follow.setAttribute("aria-pressed", String(following));
      for (const input of scales) input.checked = input.value === scale;
      find("#chart").dataset.scale = scale ?? "";
    },
  );
  store.watch(
    (state) => [pointSize(state)],
    (updates) => setText(find("#resolution"), resolution(updates)),
  );
  mountAxes(store);
}

function mountAxes(store) {
  popover(find("#axes-open"), find("#axes-panel"));
  for (const name of CHOICES) {
    const inputs = radios(name);
    for (const input of inputs) {
      input.addEventListener("change", () =>
        store.dispatch({ type: "axes", view: { [name]: input.value } }),
      );
    }
    store.watch(
      (state) => [state[name]],
      (value) => {
        for (const input of inputs) input.checked = input.value === value;
      },
    );
  }
  for (const [id, name] of [
    ["#x-axis-log", "scale"],
    ["#loss-log", "lossScale"],
  ]) {
    const button = find(id);
    button.addEventListener("click", () => {
      const scale = store.get()[name] === "log" ? "linear" : "log";
      store.dispatch({ type: "axes", view: { [name]: scale } });
    });
    store.watch(
      (state) => [state[name]],
      (scale) => button.setAttribute("aria-pressed", String(scale === "log")),
    );
  }
  store.watch(
    (state) => [drawnFactor(state), state.xAxis, xAxis(state).name, state.runId],
    (factor, wanted, shown) => setText(find("#axes-hint"), hint(factor, wanted !== shown)),
  );
}

function hint(factor, timeless) {
  if (timeless) return "The training times of this run are not known, so the axis shows updates.";
  if (factor === null) return "";
  if (factor === 0)
    return "Each point is the loss of its last update; the band shows all losses.";
  const each = format.share(1 - factor) === "0%" ? `${(1 - factor) * 100}` : null;
  const part = each === null ? format.share(1 - factor) : `${Number(each).toPrecision(1)}%`;
  return `The loss of each update contributes ${part} to the smooth loss.`;
}

const resolution = (updates) =>
  `1 point = ${format.plural(updates, "update", "updates")}`;

/** The largest number of updates that a point in view represents. */
const pointSize = (state) => largestBucket(finestCurve(state), ...viewRange(state));
