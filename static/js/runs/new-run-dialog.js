/** The dialog for a new run: the corpus, the settings, and an estimate of size and speed. */

import * as api from "../net/api.js";
import { el, find, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { FieldErrors } from "../ui/field-errors.js";
import { CorpusPicker } from "./corpus-picker.js";
import { Estimate } from "./estimate.js";
import { GivenWeights } from "./given-weights.js";
import { download } from "../net/download.js";
import { RunSpecForm } from "../spec/run-spec-form.js";
import { readSpecFile, specFile } from "../spec/spec-file.js";
import { formatSpec, parseSpec, specLink, withDefaults } from "../spec/spec-link.js";
import { SweepForm } from "../spec/sweep-form.js";
import {
  DEFAULT_SPEC,
  describeOverrides,
  FORMS,
  parameterCount,
  PRESET_DESCRIPTIONS,
  PRESETS,
} from "../spec/run-spec.js";

export class NewRunDialog {
  #store;
  #created;
  #dialog = find("#new-run-dialog");
  #form = find("#new-run-form");
  #start = find("#new-run-start");
  #problem = find("#new-run-problem");
  #status = find("#spec-status");
  #corpora;
  /** @type {ListedCorpus | undefined} */
  #corpus;
  /** @type {string | null} */
  #suggested = null; // the name of the last uploaded corpus, suggested for the run
  #settings;
  /** @type {SweepForm} */
  #sweep;
  #weights = new GivenWeights((sizes) => this.#settings.fill(sizes));
  #presets = Object.entries(PRESETS).map(([name, preset]) =>
    el("button", {
      type: "button",
      class: "button button-small button-pressed",
      text: name,
      on: { click: () => this.#settings.fill(preset) },
    }),
  );
  #errors = new FieldErrors(this.#form);
  #estimate = new Estimate((earlier, fields) => this.#errors.replace(earlier, fields));

  /**
   * @param {WatchStore} store
   * @param {(run: Run) => void} created called with the new run.
   */
  constructor(store, created) {
    this.#store = store;
    this.#created = created;
    const { name } = this.#form.elements;
    find("#presets").replaceChildren(...this.#presets);
    this.#settings = new RunSpecForm(this.#form, FORMS.new, () => this.#describe());
    const valueOf = (/** @type {string} */ field) => this.#settings.spec()[field];
    this.#sweep = new SweepForm(this.#form, valueOf, () => this.#describe());
    this.#corpora = new CorpusPicker(store, {
      changed: (corpus) => {
        this.#corpus = corpus;
        this.#weights.check(corpus);
        // Another corpus removes a suggested name, but not a typed one.
        if (name.value === this.#suggested && corpus?.name !== this.#suggested) name.value = "";
        this.#describe();
      },
      busy: (busy) => (this.#start.disabled = busy),
      added: (corpus) => {
        if (!name.value || name.value === this.#suggested) name.value = corpus.name;
        this.#suggested = corpus.name;
      },
      over: () => this.open(),
      spec: (file) => this.#takeFile(file),
      weights: (file) => this.#weights.take(file, this.#corpus),
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
    const file = find("#spec-file");
    find("#spec-load").addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      if (file.files[0]) await this.#takeFile(file.files[0]);
      file.value = "";
    });
    this.#weights.mount(() => this.#corpus);
    find("#spec-save").addEventListener("click", () => this.#save());
    find("#spec-link").addEventListener("click", () => this.#copyLink());
    this.#dialog.addEventListener("close", () => {
      this.#store.dispatch({ type: "newRun", text: null, vary: null });
      this.#estimate.cancel();
      this.#weights.remove();
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
    setText(this.#status, "");
    this.#sweep.fill(null);
    this.#settings.fill(spec);
    this.#dialog.showModal();
    await this.#showingProblem(() => this.#corpora.load(spec.corpus));
  }

  /**
   * Open the dialog with the settings of a link. Viewers may only look at them.
   *
   * @param {string} text see spec/spec-link.js.
   * @param {string | null} vary see spec/ranges.js; null: a single run.
   */
  async openLink(text, vary) {
    await this.open();
    if (vary !== null) this.#sweep.fill(vary);
    const taken = await this.#take(parseSpec(text), "The link was not used.");
    if (this.#store.get().operator) return;
    const about = taken ? " These are the settings of the link." : "";
    setText(this.#status, `Only the operator can start a run.${about}`);
  }

  /** @param {File} file */
  async #takeFile(file) {
    const taken = await this.#take(await readSpecFile(file), `${file.name} was not used.`);
    if (taken) setText(this.#status, `The settings are those of ${file.name}.`);
  }

  /**
   * Set all fields, those that are left out to their defaults; or nothing, if one is wrong.
   *
   * @param {{spec: Record<string, any>, corpusName: string, problem: string | null}} found
   * @param {string} refused said before a problem.
   * @returns {Promise<boolean>} whether the fields were set.
   */
  async #take({ spec, corpusName, problem: wrong }, refused) {
    const problem = wrong ?? this.#settings.problemOf(spec);
    this.#errors.clear();
    setText(this.#status, "");
    setText(this.#problem, problem ? `${refused} ${problem}` : "");
    if (problem) return false;
    this.#settings.fill(withDefaults(spec));
    const { corpus } = this.#form.elements;
    await this.#showingProblem(async () => {
      await this.#corpora.load(spec.corpus);
      if (!spec.corpus || corpus.value === spec.corpus) return;
      const name = corpusName ? `“${corpusName}” (${spec.corpus})` : `“${spec.corpus}”`;
      const advice = this.#store.get().operator ? " Upload it here, or choose another." : "";
      setText(find("#error-corpus"), `This server does not have the text ${name}.${advice}`);
    });
    return true;
  }

  #save() {
    const spec = withDefaults(this.#spec());
    const name = spec.name?.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-") ?? "";
    download(specFile(spec), `hurrah-${name ? `${name}-` : ""}spec.json`);
  }

  async #copyLink() {
    const address = specLink(this.#linkText(), this.#sweep.text);
    try {
      await navigator.clipboard.writeText(address);
      setText(this.#status, "Link copied.");
    } catch {
      // There is no clipboard without a secure context.
      setText(this.#status, "The link could not be copied. You can copy it from the address bar.");
    }
  }

  /** The settings as the URL has them. The first shipped text is the default and left out. */
  #linkText() {
    const corpora = Object.values(this.#store.get().corpora);
    const isDefault = this.#corpus?.id === corpora.find(({ shipped }) => shipped)?.id;
    const { corpus, ...spec } = this.#spec();
    return isDefault ? formatSpec(spec) : formatSpec({ corpus, ...spec }, this.#corpus?.name);
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
    this.#sweep?.update();
    const runs = this.#sweep?.runs ?? 0;
    setText(this.#start, runs ? sweepButton(runs) : "Start training");
    if (!this.#corpus || !this.#dialog.open) return;
    this.#store.dispatch({ type: "newRun", text: this.#linkText(), vary: this.#sweep.text });
    if (this.#store.get().operator) this.#estimate.ask(this.#spec(), runs);
  }

  async #submit() {
    if (!this.#store.get().operator) return;
    this.#errors.clear();
    setText(this.#problem, "");
    this.#start.disabled = true;
    try {
      const { file } = this.#weights;
      const spec = this.#spec();
      if (this.#sweep.runs) {
        const { id } = await api.createSweep(this.#sweep.request(spec));
        this.#corpora.answer(spec.corpus);
        location.assign(rooted(`/sweeps?sweep=${encodeURIComponent(id)}${location.hash}`));
        return;
      }
      const run = await create(spec, seedsOf(this.#form), file);
      this.#corpora.answer(run.corpus);
      this.#dialog.close();
      this.#created(run);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      const { unplaced, first } = this.#errors.show(error.fields.map(ofField));
      first?.focus();
      const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
      if (named || !error.fields.length) setText(this.#problem, named || error.message);
    } finally {
      this.#start.disabled = false;
    }
  }
}

/** @param {number} runs */
const sweepButton = (runs) => `Start a sweep of ${format.plural(runs, "run", "runs")}`;

/**
 * A message of the server at the field that it is about: "parameters.hidden_size.values" and
 * "spec.hidden_size" are both about the hidden size.
 *
 * @param {{field: string, message: string}} error
 */
const ofField = ({ field, message }) => ({
  field: field.replace(/^(?:parameters|spec)\.(\w+).*$/, "$1"),
  message,
});
/** The form's field for the number of seeds; a sweep has another. */
const SEEDS = "group_seeds";

/** How many runs with different seeds are wanted. @param {any} form */
const seedsOf = (form) => Number(form.elements.group_seeds.value || 1);

/**
 * Create a run, or a group of them with different seeds; return the first.
 *
 * @param {Partial<RunSpec>} spec
 * @param {number} seeds
 * @param {File | null} file of weights.
 * @returns {Promise<Run>}
 */
async function create(spec, seeds, file) {
  if (seeds === 1) return file ? api.createRunFromParameters(spec, file) : api.createRun(spec);
  if (file) {
    const message = "must be 1: the weights of the file are the same for every seed";
    throw new api.Problem("", 422, [{ field: SEEDS, message }]);
  }
  try {
    return (await api.createGroup(spec, seeds)).runs[0];
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    const atSeeds = ({ field, message }) => ({ field: field === "seeds" ? SEEDS : field, message });
    throw new api.Problem(error.message, error.status, error.fields.map(atSeeds));
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
