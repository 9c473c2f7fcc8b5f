/** The switch between the curve card's two faces, and the sentence beneath the second. */

import { find, setText } from "../lib/dom.js";
import { varianceSentence } from "./position-plot.js";

/** @param {Object} store */
export function mountCurveTabs(store) {
  const card = find(".curve");
  const inputs = [...document.querySelectorAll("input[name=curve-tab]")];
  for (const input of inputs) {
    input.addEventListener("change", () => store.dispatch({ type: "curveTab", curveTab: input.value }));
  }
  store.watch(
    (state) => [state.curveTab],
    (curveTab) => {
      card.dataset.curveTab = curveTab;
      find("#chart").hidden = curveTab !== "time";
      find("#position-chart").hidden = curveTab !== "position";
      find(curveTab === "position" ? "#position-chart" : "#chart").append(find("#notice"));
      for (const input of inputs) input.checked = input.value === curveTab;
    },
  );
  store.watch(
    (state) => [state.lossByPosition?.variance],
    (variance) => setText(find("#position-sentence"), variance ? varianceSentence(variance) : ""),
  );
}
