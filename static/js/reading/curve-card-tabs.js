/** The tabs of the curve card, loss over time and loss by position, and the sentence below. */

import { find, radios, setText } from "../lib/dom.js";
import { varianceSentence } from "./position-plot.js";

/** @param {WatchStore} store */
export function mountCurveTabs(store) {
  const card = find(".curve");
  const inputs = radios("curve-tab");
  for (const input of inputs) {
    input.addEventListener("change", () =>
      store.dispatch({ type: "curveTab", curveTab: input.value }),
    );
  }
  store.watch(
    (state) => [state.curveTab],
    (curveTab) => {
      card.dataset.curveTab = curveTab;
      find("#chart").hidden = curveTab !== "time";
      find("#position-chart").hidden = curveTab !== "position";
      for (const input of inputs) input.checked = input.value === curveTab;
    },
  );
  store.watch(
    (state) => [state.lossByPosition?.variance],
    (variance) => setText(find("#position-sentence"), variance ? varianceSentence(variance) : ""),
  );
}
