/** The controls of a form that set the fields of a run's spec. */

import { el } from "../lib/dom.js";
import { FIELDS, valueText } from "./run-spec.js";

/** The option of a select that sets another field to null. */
const NULL_OPTION = "none";

export class RunSpecForm {
  /** @type {any} */
  #elements;
  #names;
  #changed;
  /**
   * For each field whose default depends on another field: the last value of the other field.
   *
   * @type {Record<string, string>}
   */
  #followed = {};

  /**
   * @param {HTMLFormElement} form
   * @param {import("./run-spec.js").FormLayout} layout
   * @param {() => void} [changed] called after each change of a control.
   */
  constructor(form, layout, changed = () => {}) {
    this.#elements = form.elements;
    this.#names = [...layout.main, ...layout.folded];
    this.#changed = changed;
    for (const name of this.#dependent()) {
      this.#followed[name] = FIELDS[defaultBy(name).field].default;
    }
    form.addEventListener("input", () => this.update());
  }

  /**
   * Set the controls of the fields in `spec`.
   *
   * @param {Record<string, any>} spec all fields or some.
   */
  fill(spec) {
    const names = this.#names.filter((name) => name in spec);
    for (const name of names) this.#fillField(name, spec[name]);
    for (const name of names) this.#fillNull(name, spec[name] === null);
    for (const name of this.#dependent()) {
      this.#followed[name] = this.#elements[defaultBy(name).field].value;
    }
    this.update();
  }

  /**
   * The values of the controls. A field with an empty control is left out, so that the server uses
   * its default.
   *
   * @returns {Record<string, any>}
   */
  spec() {
    /** @param {string} name */
    const read = (name) => (this.#isNull(name) ? null : this.#read(name));
    const entries = this.#names.map((name) => [name, read(name)]);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }

  /**
   * Update the controls after a change. A control that is null is disabled. A field whose default
   * depends on another field gets the new default, unless the user has changed it.
   */
  update() {
    for (const name of this.#dependent()) {
      const { field, defaults } = defaultBy(name);
      const { value } = this.#elements[field];
      const edited = Number(this.#elements[name].value) !== defaults[this.#followed[name]];
      if (value !== this.#followed[name] && !edited) {
        this.#elements[name].value = String(defaults[value]);
      }
      this.#elements[name].placeholder = `${defaults[value]} by default`;
      this.#followed[name] = value;
    }
    for (const name of this.#names.filter((each) => FIELDS[each].null)) {
      this.#elements[name].disabled = this.#isNull(name);
    }
    this.#changed();
  }

  /**
   * @param {string} name
   * @param {any} value
   */
  #fillField(name, value) {
    const { control, default: byDefault } = FIELDS[name];
    const element = this.#elements[name];
    if (control === "select") {
      const text = String(value);
      const offered = [...element.options].some((option) => option.value === text);
      if (!offered) {
        element.append(el("option", { value: text, text: valueText(name, { [name]: value }) }));
      }
      element.value = text;
    } else if (control === "checkbox") {
      element.checked = value;
    } else if (control === "words") {
      element.value = (value ?? []).join(", ");
    } else {
      element.value = String(value ?? byDefault ?? "");
    }
  }

  /**
   * Why the form cannot have some fields, in a sentence; null if it can.
   *
   * @param {Record<string, any>} fields
   */
  problemOf(fields) {
    const words = this.#names
      .filter((name) => FIELDS[name].control === "words")
      .flatMap((name) => fields[name] ?? []);
    const joined = words.find((word) => word.includes(","));
    return joined ? `In the form a comma separates words, but “${joined}” has one.` : null;
  }

  /**
   * @param {string} name
   * @param {boolean} isNull
   */
  #fillNull(name, isNull) {
    const { option_of: select } = FIELDS[name].null ?? {};
    const checkbox = this.#elements[`${name}-null`];
    if (checkbox) checkbox.checked = isNull;
    else if (select && isNull) this.#elements[select].value = NULL_OPTION;
  }

  /** @param {string} name */
  #isNull(name) {
    const { option_of: select } = FIELDS[name].null ?? {};
    if (select) return this.#elements[select].value === NULL_OPTION;
    return this.#elements[`${name}-null`]?.checked ?? false;
  }

  /**
   * @param {string} name
   * @returns {any} undefined if the control is empty.
   */
  #read(name) {
    const { control, choices } = FIELDS[name];
    if (control === "checkbox") return this.#elements[name].checked;
    const text = this.#elements[name].value.trim();
    if (control === "words") return wordsIn(text);
    if (text === "") return undefined;
    if (control === "number") return Number(text);
    if (control !== "select") return text;
    if (text === NULL_OPTION) return undefined;
    return choices.find((value) => String(value) === text) ?? Number(text);
  }

  /** The fields whose default depends on another field of the form. */
  #dependent() {
    return this.#names.filter((name) => this.#names.includes(FIELDS[name].default_by?.field ?? ""));
  }
}

/**
 * How the default of a field depends on another one.
 *
 * @param {string} name of a field for which it does.
 */
const defaultBy = (name) =>
  /** @type {import("./run-spec.js").DefaultBy} */ (FIELDS[name].default_by);

/** @param {string} text words separated by commas; see `problemOf`. */
const wordsIn = (text) =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter(Boolean);
