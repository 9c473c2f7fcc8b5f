/** The controls of a form that set the fields of a spec. */

import { el } from "../lib/dom.js";
import { FIELDS, valueText } from "./run-spec.js";

/** The entry of a select that sets another field to null. */
const NULL_OPTION = "none";

export class RunSpecForm {
  #elements;
  #names;
  #changed;
  #followed = {}; // by field with a default that depends on another: the other's last value

  /**
   * @param {HTMLFormElement} form
   * @param {import("./run-spec.js").FormLayout} layout
   * @param {() => void} [changed] called after every change of a control.
   */
  constructor(form, layout, changed = () => {}) {
    this.#elements = form.elements;
    this.#names = [...layout.main, ...layout.folded];
    this.#changed = changed;
    for (const name of this.#dependent()) {
      this.#followed[name] = FIELDS[FIELDS[name].default_by.field].default;
    }
    form.addEventListener("input", () => this.update());
  }

  /** Set the controls of the fields that `spec` has. */
  fill(spec) {
    const names = this.#names.filter((name) => name in spec);
    for (const name of names) this.#fillField(name, spec[name]);
    for (const name of names) this.#fillNull(name, spec[name] === null);
    for (const name of this.#dependent()) {
      this.#followed[name] = this.#elements[FIELDS[name].default_by.field].value;
    }
    this.update();
  }

  /** The fields that are set; an empty control leaves the choice to the server. */
  spec() {
    const read = (name) => (this.#isNull(name) ? null : this.#read(name));
    const entries = this.#names.map((name) => [name, read(name)]);
    return Object.fromEntries(entries.filter(([, value]) => value !== undefined));
  }

  /** Update the defaults that depend on other fields, and disable the numbers that are null. */
  update() {
    for (const name of this.#dependent()) {
      const { field, defaults } = FIELDS[name].default_by;
      const { value } = this.#elements[field];
      const own = Number(this.#elements[name].value) !== defaults[this.#followed[name]];
      if (value !== this.#followed[name] && !own) {
        this.#elements[name].value = String(defaults[value]);
      }
      this.#followed[name] = value;
    }
    for (const name of this.#names.filter((each) => FIELDS[each].control === "number")) {
      this.#elements[name].disabled = this.#isNull(name);
    }
    this.#changed();
  }

  #fillField(name, value) {
    const { control, default: usual } = FIELDS[name];
    const element = this.#elements[name];
    if (control === "select") {
      const text = String(value);
      if (![...element.options].some((option) => option.value === text)) {
        element.append(el("option", { value: text, text: valueText(name, { [name]: value }) }));
      }
      element.value = text;
    } else if (control === "words") {
      element.value = (value ?? []).join(", ");
    } else {
      element.value = String(value ?? usual ?? "");
    }
  }

  #fillNull(name, isNull) {
    const { option_of: select } = FIELDS[name].null ?? {};
    const checkbox = this.#elements[`${name}-null`];
    if (checkbox) checkbox.checked = isNull;
    else if (select && isNull) this.#elements[select].value = NULL_OPTION;
  }

  #isNull(name) {
    const { option_of: select } = FIELDS[name].null ?? {};
    if (select) return this.#elements[select].value === NULL_OPTION;
    return this.#elements[`${name}-null`]?.checked ?? false;
  }

  #read(name) {
    const { control, choices } = FIELDS[name];
    const text = this.#elements[name].value.trim();
    if (control === "words") return text.split(",").map((word) => word.trim()).filter(Boolean);
    if (text === "") return undefined;
    if (control === "number") return Number(text);
    if (control !== "select") return text;
    if (text === NULL_OPTION) return undefined;
    return choices.find((value) => String(value) === text) ?? Number(text);
  }

  /** The fields whose default depends on another field of the form. */
  #dependent() {
    return this.#names.filter((name) => this.#names.includes(FIELDS[name].default_by?.field));
  }
}
