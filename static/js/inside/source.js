/** The network in view: the live one, or a snapshot of the training so far. */

import { find, radios, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isLive } from "./state/reducers.js";

/** @param {InsideStore} store */
export function mountSource(store) {
  const slider = find("#inside-snapshot");
  const inputs = radios("inside-source");
  const choose = (source) => store.dispatch({ type: "set", values: { source } });
  const atSlider = () => ({ update: store.get().snapshots[slider.valueAsNumber] });
  for (const input of inputs) {
    input.addEventListener("change", () => choose(input.value === "live" ? "latest" : atSlider()));
  }
  slider.addEventListener("input", () => choose(atSlider()));

  store.watch(
    (state) => [state.source, state.snapshots, state.run?.state, state.run?.update],
    (source, snapshots, runState, update) => {
      const live = isLive(store.get());
      slider.max = String(Math.max(snapshots.length - 1, 0));
      const at = live ? snapshots.length - 1 : nearest(snapshots, source.update);
      slider.value = String(at);
      const shown = live ? update : snapshots[at];
      const text = shown === undefined ? "none yet" : `update ${format.count(shown)}`;
      slider.setAttribute("aria-valuetext", text);
      setText(find("#inside-snapshot-update"), text);
      for (const input of inputs) {
        input.checked = (input.value === "live") === live;
        if (input.value === "snapshot") input.disabled = !snapshots.length;
      }
      slider.disabled = !snapshots.length;
      setText(find("#inside-live-word"), runState === "running" ? "Live" : "Latest");
    },
  );
}

/**
 * The index of the update that is nearest to another one.
 *
 * @param {number[]} updates ascending.
 * @param {number} update
 */
function nearest(updates, update) {
  const distances = updates.map((each) => Math.abs(each - update));
  return distances.indexOf(Math.min(...distances));
}
