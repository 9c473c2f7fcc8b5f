/** The switch between the curve card's two faces, and the sentence beneath the second. */

import { find, setText } from "../lib/dom.js";
import { inWords } from "./position-plot.js";

/** @param {Object} store */
export function mountFaces(store) {
  const card = find(".curve");
  const inputs = [...document.querySelectorAll("input[name=face]")];
  for (const input of inputs) {
    input.addEventListener("change", () => store.dispatch({ type: "face", face: input.value }));
  }
  store.watch(
    (state) => [state.face],
    (face) => {
      card.dataset.face = face;
      find("#chart").hidden = face !== "curve";
      find("#pages").hidden = face !== "pages";
      find(face === "pages" ? "#pages" : "#chart").append(find("#notice"));
      for (const input of inputs) input.checked = input.value === face;
    },
  );
  store.watch(
    (state) => [state.pages?.explained],
    (explained) => setText(find("#pages-sentence"), explained ? inWords(explained) : ""),
  );
}
