/** The dialog for a new run: the corpus, the settings, and an estimate of size and speed. */

import * as api from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { FieldErrors } from "../ui/field-errors.js";
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
  /** @type {ListedCorpus | undefined} */
  #corpus;
  /** @type {string | null} */
  #suggested = null; // the name of the last uploaded corpus, suggested for the run
  #settings;
  #presets = Object.entries(PRESETS).map(([name, preset]) =>
    el("button", {
      type: "button",
      class: "button button-small button-pressed",
      text: name,
      on: { click: () => this.#settings.fill(preset) },
    }),
  );
  #errors = new FieldErrors(this.#form);
  #estimate = new Estimate((fields) => this.#errors.show(fields));

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
        // Another corpus removes a suggested name, but not a typed one.
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
      this.#corpora.endQuestions();
      this.#showingProblem(() => this.#corpora.finishRemoval());
    });
  }

  /**
   * Open the dialog.
   *
   * @param {Object} [from]
   * @param {Partial<RunSpec>} [from.spec] settings to suggest, with the id of the corpus.
   * @param {string} [from.reason] why these are suggested, in a sentence.
   */
  async open({ spec = {}, reason = "" } = {}) {
    if (this.#dialog.open) return;
    this.#errors.clear();
    setText(this.#problem, reason);
    this.#settings.fill(spec);
    this.#dialog.showModal();
    await this.#showingProblem(() => this.#corpora.load(spec.corpus));
  }

  /**
   * Run a task, and show the server's message if it fails.
   *
   * @param {() => any} task
   */
  async #showingProblem(task) {
    try {
      await task();
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(this.#problem, error.message);
    }
  }

  /** The spec of the run. The server uses the defaults of fields that are left out. */
  #spec() {
    return { corpus: this.#form.elements.corpus.value, ...this.#settings.spec() };
  }

  /** Show the preset, the changed advanced settings, the number of parameters and the estimate. */
  #describe() {
    const spec = { ...DEFAULT_SPEC, ...this.#settings.spec() };
    setText(find("#advanced-summary"), describeOverrides(spec));
    const matching = Object.keys(PRESETS).filter((preset) =>
      Object.entries(PRESETS[preset]).every(([name, value]) => spec[name] === value),
    );
    for (const button of this.#presets) {
      button.setAttribute("aria-pressed", String(matching.includes(button.textContent)));
    }
    const about = PRESET_DESCRIPTIONS[matching[0]] ?? "Custom settings.";
    setText(find("#preset-about"), about);
    setText(find("#parameter-count"), sizeText(spec, this.#corpus));
    if (this.#corpus && this.#dialog.open) this.#estimate.ask(this.#spec());
  }

  async #submit() {
    this.#errors.clear();
    setText(this.#problem, "");
    this.#start.disabled = true;
    try {
      const run = await api.createRun(this.#spec());
      this.#corpora.answer(run.corpus);
      this.#dialog.close();
      this.#created(run);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      const { unplaced, first } = this.#errors.show(error.fields);
      first?.focus();
      const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
      if (named || !error.fields.length) setText(this.#problem, named || error.message);
    } finally {
      this.#start.disabled = false;
    }
  }
}

/**
 * The number of parameters, or nothing as long as it is not determined.
 *
 * @param {Record<string, any>} spec
 * @param {ListedCorpus | undefined} corpus
 */
function sizeText(spec, corpus) {
  const valid = [spec.hidden_size, spec.layers].every((n) => Number.isInteger(n) && n > 0);
  return corpus && valid ? `${format.count(parameterCount(spec, corpus.distinct))} parameters` : "";
}
