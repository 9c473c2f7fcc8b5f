/** A diagnosis: the mistakes, the line of the equations, the code, and what to look at. */

import { errorText } from "../gradients/relative-errors.js";
import { el, rooted } from "../lib/dom.js";
import { labelsOf } from "./answer-text.js";
import { equation, sentence } from "./equation.js";
import { linePair } from "./line-pair.js";

const SEE_TRAINING = "See what it does to a training";
// They need the right gradients of the same parameters, so no network is trained with them.
const NOT_TRAINED = ["clipped", "scaled"];

/** The address at which a network with a mistake is trained. @param {string} name */
function trainingAddress(name) {
  const problem = new URLSearchParams(location.search);
  const query = new URLSearchParams({ mistake: name });
  for (const field of ["cell", "layers"]) {
    const value = problem.get(field);
    if (value) query.set(field, value);
  }
  return rooted(`/course/mistakes?${query}`);
}

/** @param {MistakeDetails} mistake @param {boolean} alone */
const mistakePart = ({ name, label, equation: line, look_at: lookAt, lines }, alone) =>
  el(
    "section",
    { class: "course-mistake" },
    ...(alone ? [] : [el("h3", {}, ...sentence(label))]),
    el("p", { class: "course-equation" }, equation(line)),
    ...lines.map(linePair),
    el("p", {}, ...sentence(lookAt)),
    ...(NOT_TRAINED.includes(name)
      ? []
      : [el("p", {}, el("a", { href: trainingAddress(name), text: SEE_TRAINING }))]),
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
