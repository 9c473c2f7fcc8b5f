/** A training with a mistake: progress, curves, samples and gradient errors. */

import { errorText } from "../gradients/relative-errors.js";
import { el, find, setText } from "../lib/dom.js";
import { count, duration, loss, speed } from "../lib/format.js";
import { TrainingChart } from "./training-chart.js";

/** A right gradient agrees in more than ten digits. */
const RIGHT_BELOW = 1e-6;
const NO_TEXT = "Nothing: its probabilities are not finite, or do not add up to 1.";

export class TrainingView {
  #card = find("#training");
  #bar = find("#training-progress");
  #status = find("#training-status");
  #chart;
  #updates = 0;
  #speed = 0;
  /** @type {{right: (number | null)[], wrong: (number | null)[]}} */
  #curves = { right: [], wrong: [] };
  /** @type {TrainingSample[]} */
  #samples = [];
  #follows = true; // the newest sample, until the user chooses another one

  /** @param {Promise<any>} plotlyLoaded */
  constructor(plotlyLoaded) {
    this.#chart = new TrainingChart(plotlyLoaded);
    find("#training-updates-made").addEventListener("change", ({ target }) => {
      const chosen = this.#samples.findIndex(({ update }) => String(update) === target.value);
      this.#follows = chosen === this.#samples.length - 1;
      showSample(this.#samples[chosen]);
    });
  }

  /** Begin with an empty chart. @param {number} updates how many will be made. */
  begin(updates) {
    this.#updates = updates;
    this.#curves = { right: [], wrong: [] };
    this.#samples = [];
    this.#follows = true;
    this.#bar.value = 0;
    find("#training-details").hidden = true;
    find("#training-updates-made").replaceChildren();
    this.#card.setAttribute("aria-busy", "true");
    delete this.#card.dataset.done;
    setText(this.#status, "Waiting for the training to begin.");
    setText(find("#training-words"), "");
    this.#chart.show(this.#curves, updates);
  }

  /** @param {TrainingProgress} part */
  add({ update, right, wrong, updates_per_second: perSecond }) {
    this.#curves.right.push(...right);
    this.#curves.wrong.push(...wrong);
    this.#speed = perSecond;
    this.#bar.value = update / this.#updates;
    const left = duration((this.#updates - update) / perSecond);
    setText(
      this.#status,
      `Update ${count(update)} of ${count(this.#updates)}, ${this.#speedText()}, ${left} left.`,
    );
    this.#chart.show(this.#curves, this.#updates);
  }

  #speedText = () => `${speed(this.#speed)} updates of both networks a second`;

  /** @param {TrainingSample} sample */
  addSample(sample) {
    this.#samples.push(sample);
    find("#training-details").hidden = false;
    const { update } = sample;
    const input = el("input", { type: "radio", name: "sample", value: update });
    find("#training-updates-made").append(
      el("label", {}, input, el("span", { text: count(update) })),
    );
    if (!this.#follows) return;
    input.checked = true;
    showSample(sample);
  }

  /** @param {TrainingResult} result */
  finish({ updates, seconds }) {
    this.#end(`${count(updates)} updates in ${seconds.toFixed(1)} s: ${this.#speedText()}.`);
    this.#card.dataset.done = String(updates);
  }

  /** Stopped by the user, or by a problem. */
  stop() {
    const made = this.#curves.right.length;
    this.#end(made ? `Stopped after update ${count(made)}.` : "Press Train.");
  }

  /** @param {string} status */
  #end(status) {
    this.#card.setAttribute("aria-busy", "false");
    setText(this.#status, status);
    const { right, wrong } = this.#curves;
    const last = (/** @type {(number | null)[]} */ curve) => {
      const end = curve.at(-1) ?? null;
      return end === null ? `not finite from update ${count(curve.indexOf(null) + 1)}` : loss(end);
    };
    if (!right.length) return;
    setText(
      find("#training-words"),
      `Smooth loss after update ${count(right.length)}: right ${last(right)}, with the mistake ` +
        `${last(wrong)}.`,
    );
  }
}

/** @param {TrainingSample} sample */
function showSample({ right, wrong, gradient_errors: errors }) {
  for (const [side, text] of [
    ["right", right],
    ["wrong", wrong],
  ]) {
    const place = find(`#sample-${side}`);
    setText(place, text ?? NO_TEXT);
    place.toggleAttribute("data-none", text === null);
  }
  find("#training-errors").replaceChildren(
    ...Object.entries(errors).map(([name, error]) => {
      const right = error !== null && error < RIGHT_BELOW;
      return el(
        "tr",
        {},
        el("th", { scope: "row", text: name }),
        el("td", { class: right ? null : "failed", text: errorText(error) }),
        el("td", { class: right ? "passed" : "failed", text: right ? "✓ right" : "✗ wrong" }),
      );
    }),
  );
}
