/** The list of mistakes, the one that is chosen, and how each shows. */

import { el, find, setText } from "../lib/dom.js";
import { equation, sentence } from "./equation.js";
import { linePair } from "./line-pair.js";

/** @type {Record<string, DescribedMistake[]>} by cell. */
const MISTAKES = JSON.parse(find("#mistakes-described").textContent);
const VERDICTS = {
  hidden: "the curve hides it",
  beside: "the curve looks right",
  visible: "the curve shows it",
};
const E_T =
  "e_t is the gradient with respect to h_t through the output, V^T do_t, or the layer above.";

export class MistakesList {
  #list = find("#mistakes-list");
  #shown = "";

  /**
   * Show the mistakes that a network can have; the chosen one stays chosen if it is among them.
   *
   * @param {string} cell
   * @param {number} layers
   * @param {string | null} [wanted] the name of the mistake to choose.
   */
  show(cell, layers, wanted = this.#chosen) {
    const mistakes = MISTAKES[cell].filter(({ min_layers: least }) => layers >= least);
    const key = `${cell} ${mistakes.length} ${wanted}`;
    if (key === this.#shown) return;
    this.#shown = key;
    const chosen = mistakes.find(({ name }) => name === wanted) ?? mistakes[0];
    this.#list.replaceChildren(this.#list.firstElementChild, ...mistakes.map(choice));
    const input = this.#list.querySelector(`input[value="${chosen.name}"]`);
    input.checked = true;
    this.#reveal(input.closest("label"));
    const usual = mistakes.find(({ measured }) => measured)?.measured ?? null;
    setText(find("#all-measured"), usual ?? "none yet");
    find("#all-symptoms").replaceChildren(...mistakes.map((each) => symptom(each, usual)));
    showChosen(chosen);
  }

  /** Show the mistake that the user has chosen. @param {string} cell */
  choose(cell) {
    const chosen = MISTAKES[cell].find(({ name }) => name === this.#chosen);
    if (chosen) showChosen(chosen);
  }

  /** Scroll the list, but not the page, to an entry. @param {HTMLElement} entry */
  #reveal(entry) {
    const [inner, outer] = [entry, this.#list].map((each) => each.getBoundingClientRect());
    this.#list.scrollTop += inner.top - outer.top - (outer.height - inner.height) / 2;
  }

  get #chosen() {
    return this.#list.querySelector("input:checked")?.value ?? null;
  }
}

/** @param {DescribedMistake} mistake */
const choice = ({ name, label, verdict }) =>
  el(
    "label",
    {},
    el("input", { type: "radio", name: "mistake", value: name }),
    el("b", {}, ...sentence(label)),
    el("small", { text: verdict ? VERDICTS[verdict] : "" }),
  );

/** @param {DescribedMistake} mistake @param {string | null} usual with what most are measured. */
const symptom = ({ label, sentence: says, measured }, usual) =>
  el(
    "div",
    {},
    el("dt", {}, ...title(label)),
    el("dd", { text: says ?? "Not measured: train it above." }),
    ...(measured && measured !== usual ? [el("dd", { text: `Measured: ${measured}.` })] : []),
  );

/** A label as a title; one that begins with a symbol keeps it. @param {string} label */
const title = (label) =>
  sentence(/^(no|[a-z]{3,})\b/.test(label) ? label[0].toUpperCase() + label.slice(1) : label);

/** @param {DescribedMistake} mistake */
function showChosen({ label, equation: line, lines, sentence: says, measured }) {
  find("#chosen-title").replaceChildren(...title(label));
  find("#chosen-equation").replaceChildren(equation(line));
  find("#chosen-symbols").replaceChildren(...(/\be_/.test(line) ? sentence(E_T) : []));
  find("#chosen-lines").replaceChildren(...lines.map(linePair));
  setText(find("#chosen-symptom"), says ?? "Not measured: train it to see how it shows.");
  setText(find("#chosen-measured"), measured ? `Measured: ${measured}.` : "");
}
