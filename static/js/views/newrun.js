/** The form for a new run, with a text of the reader's own by button or by dropping it. */

import * as api from "../api.js";
import { el, find, setText } from "../dom.js";
import * as format from "../format.js";
import { onFileDropped } from "./dropping.js";
import { Settings } from "./settings.js";

export class NewRunForm {
  #store;
  #created;
  #dialog = find("#new-run-dialog");
  #form = find("#new-run-form");
  #start = find("#new-run-start");
  #problem = find("#new-run-problem");
  #progress = find("#drop-progress");
  #settings;

  /**
   * @param {Object} store
   * @param {(run: Object) => void} created called with the run that the form has started.
   */
  constructor(store, created) {
    this.#store = store;
    this.#created = created;
    const file = find("#drop-file");
    find("#new-run").addEventListener("click", () => this.open());
    find("#drop-choose").addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      if (file.files[0]) await this.#upload(file.files[0]);
      file.value = "";
    });
    this.#settings = new Settings(this.#form, () => this.#describe());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    for (const button of this.#dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.#dialog.close());
    }
    onFileDropped(find("#drop"), {
      wanted: () => this.#store.get().operator,
      over: () => this.open(),
      drop: (dropped) => this.#upload(dropped),
    });
  }

  /** Show the form. */
  async open() {
    if (this.#dialog.open) return;
    this.#showErrors([]);
    setText(this.#problem, "");
    this.#dialog.showModal();
    await this.#loadCorpora();
  }

  async #loadCorpora(choose) {
    const select = this.#form.elements.corpus;
    try {
      this.#store.dispatch({ type: "corpora", corpora: await api.listCorpora() });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(this.#problem, error.message);
    }
    const chosen = choose ?? select.value;
    const corpora = Object.values(this.#store.get().corpora);
    const option = ({ id, name }) => el("option", { value: id, text: name });
    select.replaceChildren(...corpora.map(option));
    if (chosen) select.value = chosen;
    if (!select.value && corpora.length) select.value = corpora[0].id;
    this.#describe();
  }

  /** Say what the present choices amount to. */
  #describe() {
    const corpus = this.#store.get().corpora[this.#form.elements.corpus.value];
    setText(find("#corpus-about"), corpus ? aboutCorpus(corpus) : "");
    const learned = corpus ? this.#settings.parameters(corpus.distinct) : null;
    const words = learned === null ? "" : `${format.count(learned)} parameters to learn`;
    setText(find("#parameter-count"), words);
  }

  async #upload(file) {
    const { name } = this.#form.elements;
    setText(find("#error-corpus"), "");
    this.#progress.hidden = false;
    this.#progress.value = 0;
    this.#start.disabled = true;
    try {
      const corpus = await api.uploadCorpus(file, (share) => (this.#progress.value = share));
      await this.#loadCorpora(corpus.id);
      if (!name.value) name.value = corpus.name;
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(find("#error-corpus"), `${file.name}: ${error.message}`);
    } finally {
      this.#progress.hidden = true;
      this.#start.disabled = false;
    }
  }

  async #submit() {
    this.#showErrors([]);
    setText(this.#problem, "");
    this.#start.disabled = true;
    try {
      const run = await api.createRun(this.#settings.spec());
      this.#dialog.close();
      this.#created(run);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      const unplaced = this.#showErrors(error.fields);
      const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
      if (named || !error.fields.length) setText(this.#problem, named || error.message);
    } finally {
      this.#start.disabled = false;
    }
  }

  /** Put each message at its field; returns those whose field the form has not got. */
  #showErrors(errors) {
    for (const slot of this.#form.querySelectorAll(".field-error")) setText(slot, "");
    let first = null;
    const unplaced = errors.filter(({ field, message }) => {
      const name = field.split(".").at(-1);
      const slot = this.#form.querySelector(`#error-${CSS.escape(name)}`);
      if (!slot) return true;
      setText(slot, message);
      first ??= this.#form.elements[name];
      return false;
    });
    const folded = first?.closest("details");
    if (folded) folded.open = true;
    first?.focus();
    return unplaced;
  }
}

const aboutCorpus = ({ characters, distinct }) =>
  `${format.count(characters)} characters, ${format.count(distinct)} distinct`;
