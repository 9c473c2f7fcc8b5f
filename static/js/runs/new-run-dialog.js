/** The dialog for a new run: corpus, settings, and an estimate. */

import * as api from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { CorpusPicker } from "./corpus-picker.js";
import { Estimate } from "./estimate.js";
import { RunSpecForm } from "./run-spec-form.js";
import {
  DEFAULT_SPEC,
  describeOverrides,
  FORMS,
  parameterCount,
  PRESET_DESCRIPTIONS,
  PRESETS,
} from "./run-spec.js";

export class NewRunDialog {
  #created;
  #dialog = find("#new-run-dialog");
  #form = find("#new-run-form");
  #start = find("#new-run-start");
  #problem = find("#new-run-problem");
  #corpora;
  #corpus;
  #suggested = null; // the name suggested by an uploaded corpus
  #settings;
  #presets = Object.entries(PRESETS).map(([name, preset]) =>
    el("button", {
      type: "button",
      class: "button button-small button-pressed",
      text: name,
      on: { click: () => this.#settings.fill(preset) },
    }),
  );
  #estimate = new Estimate();

  /**
   * @param {WatchStore} store
   * @param {(run: Run) => void} created called with the new run.
   */
  constructor(store, created) {
    this.#created = created;
    const { name } = this.#form.elements;
    find("#presets").replaceChildren(...this.#presets);
    this.#settings = new RunSpecForm(this.#form, FORMS.new, () => this.#describe());
    this.#corpora = new CorpusPicker(store, {
      changed: (corpus) => {
        this.#corpus = corpus;
        // A suggested name is removed with its corpus; a typed one stays.
        if (name.value === this.#suggested && corpus?.name !== this.#suggested) name.value = "";
        this.#describe();
      },
      busy: (busy) => (this.#start.disabled = busy),
      added: (corpus) => {
        name.value ||= corpus.name;
        this.#suggested = corpus.name;
      },
      over: () => this.open(),
    });
    this.#settings.update();
    find("#new-run").addEventListener("click", () => this.open());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    for (const button of this.#dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.#dialog.close());
    }
    this.#dialog.addEventListener("close", () => {
      this.#estimate.cancel();
      this.#showingProblem(() => this.#corpora.finishRemoval());
    });
  }

  /** Open the dialog. */
  async open() {
    if (this.#dialog.open) return;
    this.#showErrors([]);
    setText(this.#problem, "");
    this.#dialog.showModal();
    await this.#showingProblem(() => this.#corpora.load());
  }

  /** Run a task; show the server's refusal. */
  async #showingProblem(task) {
    try {
      await task();
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(this.#problem, error.message);
    }
  }

  /** The spec of the run; fields that are not set are left to the server. */
  #spec() {
    return { corpus: this.#form.elements.corpus.value, ...this.#settings.spec() };
  }

  /** Describe the settings: the preset, what differs from the defaults, the size and the speed. */
  #describe() {
    const spec = { ...DEFAULT_SPEC, ...this.#settings.spec() };
    setText(find("#advanced-summary"), describeOverrides(spec));
    const matches = (preset) => Object.entries(preset).every(([name, value]) => spec[name] === value);
    const matching = Object.keys(PRESETS).filter((name) => matches(PRESETS[name]));
    for (const button of this.#presets) {
      button.setAttribute("aria-pressed", String(matching.includes(button.textContent)));
    }
    const about = PRESET_DESCRIPTIONS[matching[0]] ?? "Settings of your own.";
    setText(find("#preset-about"), about);
    const sized = [spec.hidden_size, spec.layers].every((n) => Number.isInteger(n) && n > 0);
    const parameters = this.#corpus && sized ? parameterCount(spec, this.#corpus.distinct) : null;
    const words = parameters === null ? "" : `${format.count(parameters)} parameters`;
    setText(find("#parameter-count"), words);
    if (this.#corpus && this.#dialog.open) this.#estimate.ask(this.#spec());
  }

  async #submit() {
    this.#showErrors([]);
    setText(this.#problem, "");
    this.#start.disabled = true;
    try {
      const run = await api.createRun(this.#spec());
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

  /** Show each message at its field; returns those without a field in the form. */
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
