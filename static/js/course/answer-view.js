/** The answer on the page: verdict, diagnosis or evidence, table and heatmaps. */

import { HeatMaps } from "../gradients/heatmaps.js";
import { errorText, powerText } from "../gradients/relative-errors.js";
import { el, find, setText } from "../lib/dom.js";
import { changeText, verdictText } from "./answer-text.js";
import { diagnosisCard } from "./diagnosis-card.js";
import { sentence } from "./equation.js";
import { shapeText } from "./problem.js";

export class AnswerView {
  #box = find("#answer");
  #verdict = find("#answer-verdict");
  #words = find("#answer-words");
  #first = [this.#verdict.textContent, this.#words.textContent]; // before any answer
  #maps = new HeatMaps();

  /** Whether a file is being checked. @param {boolean} busy */
  set busy(busy) {
    this.#box.setAttribute("aria-busy", String(busy));
  }

  /**
   * @param {Answer} answer
   * @param {Answer | null} last to the file before, for the same problem.
   * @param {string} about the problem and the file.
   */
  show(answer, last, about) {
    const { passed, parameters, missing, threshold, diagnosis } = answer;
    const [sides = "", ...evidence] = answer.evidence;
    this.#say(passed ? "passed" : "failed", passed ? "✓" : "✗", verdictText(answer));
    setText(find("#answer-of"), about);
    setText(this.#words, sides);
    setText(find("#answer-change"), changeText(answer, last));
    find("#answer-remarks").replaceChildren(...answer.remarks.map((text) => el("li", { text })));
    find("#answer-diagnosis").replaceChildren(
      ...(diagnosis.length ? diagnosis.map(diagnosisCard) : evidencePart(evidence)),
    );
    setText(find("#answer-below"), `below ${powerText(threshold)}`);
    find("#answer-rows").replaceChildren(...parameters.map(row), ...missing.map(missingRow));
    find("#answer-details").hidden = false;
    find("#answer-maps").hidden = parameters.every((parameter) => parameter.passed);
    this.#maps.show({
      parameters: parameters.map(({ name, shape, errors }) => ({
        name,
        shape,
        errors: { answer: errors },
      })),
      thresholds: { answer: threshold },
    });
    find("#answer-verdict-box").scrollIntoView({ block: "nearest" });
  }

  /** Remove an answer that belongs to another file or another problem. */
  clear() {
    const [verdict, words] = this.#first;
    this.#say("none", "?", verdict);
    setText(this.#words, words);
    for (const id of ["of", "change"]) setText(find(`#answer-${id}`), "");
    for (const id of ["remarks", "diagnosis"]) find(`#answer-${id}`).replaceChildren();
    find("#answer-details").hidden = true;
  }

  /**
   * @param {string} tone
   * @param {string} mark
   * @param {string} verdict
   */
  #say(tone, mark, verdict) {
    find("#answer-verdict-box").dataset.tone = tone;
    find("#answer-step").hidden = tone !== "none";
    setText(find("#answer-mark"), mark);
    this.#verdict.replaceChildren(...sentence(verdict));
  }
}

/** What right and wrong gradients say about a mistake that is not known. @param {string[]} said */
function evidencePart(said) {
  if (!said.length) return [];
  const items = said.map((text) => el("li", {}, ...sentence(text)));
  return [
    el(
      "div",
      { class: "course-likeliest" },
      el("h3", { text: "Where to look" }),
      el("ul", { class: "course-evidence" }, ...items),
    ),
  ];
}

/** @param {AnswerParameter} parameter */
function row({ name, shape, relative_error: error, passed, source, transposed }) {
  const notes = [source === name ? "" : `as ${source}`, transposed ? "transposed" : ""];
  return el(
    "tr",
    {},
    el(
      "th",
      { scope: "row" },
      name,
      " ",
      el("small", { text: notes.filter(Boolean).join(", ") }),
    ),
    el("td", { text: shapeText(shape) }),
    el("td", { class: passed ? "" : "failed", text: errorText(error) }),
    el("td", { class: passed ? "passed" : "failed", text: passed ? "✓ right" : "✗ wrong" }),
  );
}

/** @param {string} name */
const missingRow = (name) =>
  el(
    "tr",
    {},
    el("th", { scope: "row", text: name }),
    el("td", {}),
    el("td", {}),
    el("td", { class: "failed", text: "missing" }),
  );
