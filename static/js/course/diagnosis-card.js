/** A diagnosis: the mistakes, the line of the equations, the code, and what to look at. */

import { errorText } from "../gradients/relative-errors.js";
import { el } from "../lib/dom.js";
import { labelsOf } from "./answer-text.js";
import { equation, sentence } from "./equation.js";
import { linePair } from "./line-pair.js";

/** @param {MistakeDetails} mistake @param {boolean} alone */
const mistakePart = ({ label, equation: line, look_at: lookAt, lines }, alone) =>
  el(
    "section",
    { class: "course-mistake" },
    ...(alone ? [] : [el("h3", {}, ...sentence(label))]),
    el("p", { class: "course-equation" }, equation(line)),
    ...lines.map(linePair),
    el("p", {}, ...sentence(lookAt)),
  );

/**
 * @param {FoundMistakes} diagnosis
 * @param {number} index 0: the likeliest, which the verdict names.
 * @param {FoundMistakes[]} all
 */
export function diagnosisCard(diagnosis, index, all) {
  const { details, agreement } = diagnosis;
  const these = details.length > 1 ? "these two mistakes" : "this mistake";
  const size = agreement === 0 ? "exactly" : `to ${errorText(agreement)}`;
  const others =
    index === 0 && all.length > 1 ? " On this problem, so do those with the mistakes below." : "";
  const parts = [
    ...details.map((mistake) => mistakePart(mistake, details.length === 1)),
    el("p", { class: "hint", text: `Gradients with ${these} agree with yours ${size}.${others}` }),
  ];
  return index === 0
    ? el("div", { class: "course-likeliest" }, ...parts)
    : el(
        "details",
        { class: "course-alternative" },
        el("summary", {}, "Or: ", ...sentence(labelsOf(diagnosis))),
        ...parts,
      );
}
