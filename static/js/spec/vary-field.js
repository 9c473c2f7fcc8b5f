/** A field of a form that may have several values, or a range, instead of one value. */

import { el } from "../lib/dom.js";
import { numberIn, numbersIn, suggestedRange } from "./ranges.js";
import { FIELDS, settingText } from "./run-spec.js";

/** @typedef {{range: () => SweepRange, fill: (range: SweepRange) => void, element: any}} Values */

export class VaryField {
  name;
  #button;
  #field;
  /** The controls of the values, made when they are first needed. @type {Values | null} */
  #values = null;

  /**
   * @param {any} button of the field, with its name.
   * @param {(name: string) => any} valueOf the value of the field in the form.
   * @param {() => void} changed
   */
  constructor(button, valueOf, changed) {
    this.name = button.dataset.vary;
    this.#button = button;
    this.#field = button.closest(".field");
    button.addEventListener("click", () => {
      this.set(this.isVaried ? null : suggestedRange(this.name, valueOf(this.name)));
      if (this.isVaried) this.#values?.element.querySelector("input:not([hidden])").focus();
      changed();
    });
  }

  /** Whether it has several values. */
  get isVaried() {
    return this.#button.getAttribute("aria-pressed") === "true";
  }

  /** What it may be, as the form has it; null for a field with one value. */
  get range() {
    return this.isVaried && this.#values ? this.#values.range() : null;
  }

  /** @param {SweepRange | null} range null: one value. */
  set(range) {
    this.#button.setAttribute("aria-pressed", String(range !== null));
    this.#field.toggleAttribute("data-varied", range !== null);
    if (range === null) return;
    if (!this.#values) {
      this.#values = (FIELDS[this.name].control === "select" ? choices : numbers)(this.name);
      this.#field.querySelector(".field-error").before(this.#values.element);
    }
    this.#values.fill(range);
  }
}

/**
 * @param {string} name
 * @param {...any} parts
 */
const group = (name, ...parts) =>
  el(
    "div",
    { class: "vary-values", role: "group", "aria-label": `${FIELDS[name].label}: its values` },
    ...parts,
  );

/**
 * A checkbox for each value of a select.
 *
 * @param {string} name
 * @returns {Values}
 */
function choices(name) {
  const all = FIELDS[name].choices.map((value) => {
    const box = el("input", { type: "checkbox", name: `${name}-vary` });
    return { value, box, label: el("label", {}, box, ` ${settingText(name, value)}`) };
  });
  return {
    element: group(name, ...all.map(({ label }) => label)),
    range: () => ({ values: all.filter(({ box }) => box.checked).map(({ value }) => value) }),
    fill({ values }) {
      for (const { box, value } of all) box.checked = values?.includes(value) ?? false;
    },
  };
}

/**
 * The ends of a range, or a list of values.
 *
 * @param {string} name
 * @returns {Values}
 */
function numbers(name) {
  const input = (/** @type {string} */ label) =>
    el("input", {
      type: "text",
      inputmode: "decimal",
      name: `${name}-vary`,
      autocomplete: "off",
      "aria-label": `${FIELDS[name].label}: ${label}`,
      "aria-describedby": `error-${name}`,
    });
  const low = input("least value");
  const high = input("greatest value");
  const list = input("values, separated by commas");
  const log = el("input", { type: "checkbox", name: `${name}-vary` });
  const ends = el("span", { class: "vary-ends" }, low, "to", high);
  const logLabel = el("label", { title: "Draw values on a logarithmic scale" }, log, " log scale");
  const mode = el("button", { type: "button", class: "vary-mode" });

  /** @param {boolean} isRange */
  function show(isRange) {
    ends.hidden = logLabel.hidden = !isRange;
    list.hidden = isRange;
    mode.textContent = isRange ? "list values" : "give a range";
  }

  mode.addEventListener("click", () => {
    const isRange = ends.hidden;
    const { values: given = [], low: from, high: to } = range();
    const found = given.filter((value) => typeof value === "number");
    if (isRange && found.length && !low.value) {
      low.value = String(Math.min(...found));
      high.value = String(Math.max(...found));
    }
    if (!isRange && !list.value) list.value = `${from}, ${to}`;
    show(isRange);
    (isRange ? low : list).focus();
    mode.dispatchEvent(new Event("input", { bubbles: true }));
  });

  const range = () =>
    ends.hidden
      ? { values: numbersIn(list.value) }
      : { low: numberIn(low.value), high: numberIn(high.value), log: log.checked };

  return {
    element: group(name, ends, list, logLabel, mode),
    range: /** @type {() => SweepRange} */ (range),
    fill(given) {
      low.value = String(given.low ?? "");
      high.value = String(given.high ?? "");
      log.checked = given.log ?? false;
      list.value = given.values?.join(", ") ?? "";
      show(!given.values);
    },
  };
}
