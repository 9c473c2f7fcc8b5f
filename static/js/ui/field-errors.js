/** The messages at the fields of a form. A message disappears when its field is changed. */

import { setText } from "../lib/dom.js";

export class FieldErrors {
  #form;
  #prefix;

  /**
   * @param {HTMLFormElement} form
   * @param {string} [prefix] the beginning of the slots' ids, before `error-NAME`.
   */
  constructor(form, prefix = "") {
    this.#form = form;
    this.#prefix = prefix;
    form.addEventListener("input", ({ target }) => {
      const { name } = /** @type {HTMLInputElement} */ (target);
      if (name) this.#set(name.replace(/-(?:null|vary)$/, ""), "");
    });
  }

  /**
   * Show messages at their fields, instead of all earlier ones. A closed section with one opens.
   *
   * @param {{field: string, message: string}[]} errors
   * @returns {{unplaced: {field: string, message: string}[], first: any}} the errors of fields that
   *   are not in the form, and the first field with a message.
   */
  show(errors) {
    this.clear();
    return this.#place(errors);
  }

  /**
   * Show messages at their fields, instead of earlier ones from the same source. Those from other
   * sources stay.
   *
   * @param {{field: string, message: string}[]} earlier
   * @param {{field: string, message: string}[]} errors
   */
  replace(earlier, errors) {
    this.#place(earlier.map(({ field }) => ({ field, message: "" })));
    this.#place(errors);
  }

  /** @param {{field: string, message: string}[]} errors */
  #place(errors) {
    /** @type {any} */
    let first = null;
    const unplaced = errors.filter(({ field, message }) => {
      const name = field.split(".").at(-1) ?? "";
      if (!this.#set(name, message)) return true;
      first ??= this.#form.elements.namedItem(name);
      return false;
    });
    const folded = first?.closest("details");
    if (folded && errors.some(({ message }) => message)) folded.open = true;
    return { unplaced, first };
  }

  clear() {
    for (const slot of this.#form.querySelectorAll(".field-error")) setText(slot, "");
    for (const field of this.#form.querySelectorAll("[aria-invalid]")) {
      field.removeAttribute("aria-invalid");
    }
  }

  /**
   * @param {string} name
   * @param {string} message
   */
  #set(name, message) {
    const slot = this.#form.querySelector(`#${CSS.escape(`${this.#prefix}error-${name}`)}`);
    if (!slot) return false;
    setText(slot, message);
    const field = this.#form.elements.namedItem(name);
    if (!(field instanceof HTMLElement)) return true;
    if (message) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    return true;
  }
}
