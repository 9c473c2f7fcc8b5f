/** The dialog that makes a toy text. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import { FieldErrors } from "../ui/field-errors.js";

export class ToyTextDialog {
  #made;
  #dialog = find("#toy-dialog");
  #form = find("#toy-form");
  #task = find("#toy-task");
  #make = find("#toy-make");
  #problem = find("#toy-problem");
  #errors = new FieldErrors(this.#form, "toy-");

  /** @param {(corpus: Corpus) => Promise<void>} made called with the text after it was added. */
  constructor(made) {
    this.#made = made;
    find("#toy-open").addEventListener("click", () => this.#open());
    find("#toy-close").addEventListener("click", () => this.#dialog.close());
    this.#task.addEventListener("change", () => this.#showTask());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  #open() {
    this.#clear();
    this.#showTask();
    this.#dialog.showModal();
  }

  #clear() {
    this.#errors.clear();
    setText(this.#problem, "");
  }

  /** Show only the explanation and the fields of the chosen task. */
  #showTask() {
    for (const part of this.#form.querySelectorAll("[data-tasks]")) {
      part.hidden = !part.dataset.tasks.split(" ").includes(this.#task.value);
      const field = part.querySelector("input");
      if (field) field.disabled = part.hidden; // then it is not sent
    }
  }

  async #submit() {
    this.#clear();
    this.#make.disabled = true;
    try {
      const corpus = await api.generateCorpus(valuesOf(this.#form));
      this.#dialog.close();
      await this.#made(corpus);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      const { unplaced, first } = this.#errors.show(error.fields);
      if (unplaced.length || !first) setText(this.#problem, error.message);
      else first.focus();
    } finally {
      this.#make.disabled = false;
    }
  }
}

/** The values of the fields that belong to the task. */
function valuesOf(form) {
  /** @type {Record<string, string | number>} */
  const values = {};
  for (const { name, type, value, valueAsNumber } of form.querySelectorAll(
    "select, input:enabled",
  )) {
    // An empty field is not a number; JSON has null for it, and the server names the field.
    values[name] = type === "number" ? valueAsNumber : value;
  }
  return values;
}
