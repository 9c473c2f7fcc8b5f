/** A figure of a network's health: its values as bars, its status, and its sentences. */

import { el, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { powerText } from "../../gradients/relative-errors.js";

/** So long a sentence stays, at least: of a live network the figures change five times a second. */
const SENTENCE_MS = 1000;
/** Each status has a word and a mark, so that it is not told by colour alone. */
const MARKS = { usual: "✓", unusual: "!", harmful: "✗" };

export class FigureCard {
  #mark = el("span", { "aria-hidden": "true" });
  #word = el("span");
  #status = el("p", { class: "figure-status" }, this.#mark, this.#word);
  #bars = el("ul", { class: "figure-bars" });
  #meaning = el("p");
  #advice = el("p", { class: "figure-advice" });
  #normal = el("p", { class: "hint" });
  /** @type {Figure | null} the figure whose sentences are not shown yet. */
  #next = null;
  #waiting = false;

  /** @param {Figure} figure */
  constructor({ name, label }) {
    const title = el("h3", { id: `health-${name}`, text: label });
    this.element = el(
      "article",
      { class: "figure", "aria-labelledby": title.id },
      el("header", {}, title, this.#status),
      ...[this.#bars, this.#meaning, this.#advice, this.#normal],
    );
  }

  /** @param {Figure} figure */
  show(figure) {
    const { values, scale, unit } = figure;
    while (this.#bars.children.length > values.length) this.#bars.lastElementChild?.remove();
    while (this.#bars.children.length < values.length) this.#bars.append(newBar());
    values.forEach((value, i) => {
      showBar(/** @type {HTMLElement} */ (this.#bars.children[i]), value, scale, unit);
    });
    this.#next = figure;
    if (!this.#waiting) this.#showSentences();
  }

  #showSentences() {
    this.#waiting = this.#next !== null;
    if (!this.#next) return;
    const { status, normal, meaning, advice } = this.#next;
    this.#next = null;
    this.#status.dataset.status = status ?? "";
    setText(this.#mark, status ? MARKS[status] : "");
    setText(this.#word, status ?? "");
    setText(this.#meaning, meaning);
    setText(this.#advice, advice);
    setText(this.#normal, normal);
    setTimeout(() => this.#showSentences(), SENTENCE_MS);
  }
}

const newBar = () => el("li", {}, el("span"), el("span", { class: "figure-bar" }), el("b"));

/**
 * @param {HTMLElement} element
 * @param {FigureValue} value
 * @param {FigureScale} scale
 * @param {string} unit
 */
function showBar(element, { name, value, status }, scale, unit) {
  const [label, bar, text] = /** @type {HTMLElement[]} */ ([...element.children]);
  setText(label, name);
  setText(text, valueText(value, unit));
  element.dataset.status = status ?? "";
  const at = value === null ? (status === "harmful" ? 1 : 0) : placeOf(value, scale);
  bar.style.setProperty("--at", String(at));
  const [low, high] = scale.usual ?? [scale.low, scale.low];
  bar.style.setProperty("--from", String(placeOf(low, scale)));
  bar.style.setProperty("--to", String(placeOf(high, scale)));
}

/** The place of a value on a scale, 0 to 1. @param {number} value @param {FigureScale} scale */
function placeOf(value, { low, high, log }) {
  const onAxis = (/** @type {number} */ each) => (log ? Math.log10(each) : each);
  const share = (onAxis(value) - onAxis(low)) / (onAxis(high) - onAxis(low));
  return Math.min(Math.max(share, 0), 1);
}

/** @param {number | null} value @param {string} unit */
function valueText(value, unit) {
  if (value === null) return format.NO_VALUE;
  if (unit === "share") return value === 0 ? "0%" : format.probability(value);
  if (value >= 1e6) return value.toExponential(1).replace("e+", "e");
  if (value > 0 && value < 1e-4) return powerText(value);
  return value >= 100 ? format.count(value) : String(Number(value.toPrecision(3)));
}
