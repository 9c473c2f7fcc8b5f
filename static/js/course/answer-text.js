/** An answer in sentences, and as a table for a report. Pure functions. */

import { errorCell, PARAMETER_LATEX } from "../gradients/table-text.js";

/** ["U", "W", "b"] -> "U, W and b" @type {(words: string[]) => string} */
const joined = (words) =>
  words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;

/** "U is", "U and W are" @type {(names: string[]) => string} */
const are = (names) => `${joined(names)} ${names.length === 1 ? "is" : "are"}`;

/** @type {(parameters: AnswerParameter[], passed: boolean) => string[]} */
const namesOf = (parameters, passed) =>
  parameters.filter((parameter) => parameter.passed === passed).map(({ name }) => name);

/** "W for its transpose, and no c in the output" @type {(diagnosis: FoundMistakes) => string} */
export const labelsOf = ({ details }) => details.map(({ label }) => label).join(", and ");

/** The verdict in one sentence. @param {Answer} answer */
export function verdictText({ passed, parameters, missing, diagnosis }) {
  if (passed) return "Your gradients are right.";
  if (!namesOf(parameters, false).length) return `${are(missing)} missing; the others are right.`;
  if (!diagnosis.length) return "Your gradients are wrong; the mistake is not a known one.";
  const count = diagnosis[0].details.length === 1 ? "One mistake" : "Two mistakes";
  return `${count}: ${labelsOf(diagnosis[0])}.`;
}

/**
 * What changed since the last file for the same problem: "W is right now."
 *
 * @param {Answer} answer
 * @param {Answer | null} last
 */
export function changeText({ parameters }, last) {
  if (last === null) return "";
  const before = new Map(last.parameters.map(({ name, passed }) => [name, passed]));
  const changed = parameters.filter(({ name, passed }) => before.get(name) !== passed);
  if (!changed.length) {
    return last.passed ? "" : "The same gradients are wrong as in the last file.";
  }
  const [right, wrong] = [namesOf(changed, true), namesOf(changed, false)];
  const sentences = [];
  if (right.length) sentences.push(`${are(right)} right now.`);
  if (wrong.length) sentences.push(`${are(wrong)} wrong now.`);
  return sentences.join(" ");
}

/**
 * The table of an answer for a report.
 *
 * @param {Answer} answer
 * @param {string} about the problem.
 * @returns {TextTable}
 */
export const answerTable = ({ parameters, missing }, about) => ({
  caption: `Greatest relative errors of my gradients: ${about}`,
  heads: ["parameter", "shape", "relative error", "result"],
  align: "llrl",
  latex: PARAMETER_LATEX,
  rows: [
    ...parameters.map(({ name, shape, relative_error: error, passed }) => [
      name,
      shape.join(" x "),
      errorCell(error),
      passed ? "right" : "wrong",
    ]),
    ...missing.map((name) => [name, "", "", "missing"]),
  ],
});
