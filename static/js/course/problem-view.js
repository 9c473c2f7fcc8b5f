/** The problem on the page: what its file contains, and code that loads it. */

import { el, find, setText } from "../lib/dom.js";
import { copyText } from "../ui/copy.js";
import { scalar } from "./npz.js";
import {
  inputsText,
  meaningOf,
  partsOf,
  shapeText,
  starterCode,
  symbolicShape,
} from "./problem.js";

const code = find("#problem-code");

/** The copy button. Without a clipboard the code is selected, so that it can be copied by hand. */
export function mountCodeCopy() {
  find("#problem-copy").addEventListener("click", async () => {
    if (!(await copyText(code.textContent, "The code was copied."))) {
      getSelection()?.selectAllChildren(code);
    }
  });
}

/**
 * Show the arrays of a problem.
 *
 * @param {import("./npz.js").NpzArray[]} arrays
 * @param {string} cell
 */
export function showProblem(arrays, cell) {
  const { parameters, states, loss } = partsOf(arrays);
  const hidden = arrays.find(({ name }) => name === "V")?.shape[1] ?? 0;
  find("#problem-arrays").replaceChildren(
    ...parameters.map((parameter) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", text: parameter.name }),
        el("td", { text: symbolicShape(parameter, hidden) }),
        el("td", { text: shapeText(parameter.shape) }),
        el("td", { text: meaningOf(parameter.name, cell) }),
      ),
    ),
  );
  setText(find("#problem-inputs"), inputsText(states.map(({ name }) => name)));
  find("#problem-loss").hidden = !loss;
  if (loss) setText(find("#problem-loss-value"), scalar(loss).toFixed(6));
  setText(code, starterCode(arrays));
}

/** Leave nothing of another problem on the page. */
export function showNoProblem() {
  find("#problem-arrays").replaceChildren();
  setText(find("#problem-inputs"), "");
  find("#problem-loss").hidden = true;
  setText(code, "");
}
