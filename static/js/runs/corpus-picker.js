/** The choice of a corpus: an existing one, an upload or a toy text, with a preview. */

import { ToyTextDialog } from "../corpora/toy-text-dialog.js";
import * as api from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isSpecFile } from "../spec/spec-file.js";
import { isCsvFile, isRunFile, isWeightsFile, onFileDropped } from "../ui/file-drop.js";

const EXCERPT_CHARACTERS = 420;
const LIMIT_NAMES = 8;

/**
 * The choices with which a text is uploaded.
 *
 * @typedef {{encoding?: string, leaveOutLicence?: boolean}} Choices
 */

/**
 * An upload with an uncertain encoding, or with the licence of Project Gutenberg. `answered`: the
 * user has chosen one of the readings.
 *
 * @typedef {Object} Upload
 * @property {File} file
 * @property {Choices} choices
 * @property {Reading[]} readings
 * @property {GutenbergLicence | null} licence
 * @property {boolean} answered
 */

export class CorpusPicker {
  #store;
  #changed;
  #select = find("#new-corpus");
  #excerpt = find("#corpus-excerpt");
  #removed = null; // the corpus whose deletion can still be undone
  #excerptOf = null;
  /** @type {Map<string, Upload>} */
  #uploads = new Map(); // those that can be uploaded again with other choices, by the corpus's id

  /**
   * @param {WatchStore} store
   * @param {Object} on
   * @param {(corpus: ListedCorpus | undefined) => void} on.changed another corpus is chosen.
   * @param {(busy: boolean) => void} on.busy an upload starts or ends.
   * @param {(corpus: ListedCorpus) => void} on.added a corpus was uploaded or made.
   * @param {() => void} on.over a file is dragged over the page.
   * @param {(file: File) => void} on.spec the settings of a run were dropped.
   * @param {(file: File) => void} on.weights a file of weights was dropped.
   */
  constructor(store, on) {
    this.#store = store;
    this.#changed = on.changed;
    new ToyTextDialog(async (corpus) => {
      await this.#showingProblem(this.load(corpus.id));
      on.added(corpus);
    });
    const file = find("#drop-file");
    const upload = async (dropped, choices) => {
      on.busy(true);
      const corpus = await this.#upload(dropped, choices);
      on.busy(false);
      if (corpus) on.added(corpus);
      return corpus;
    };
    const uploadAgain = async (changed) => {
      const { id } = this.#chosen();
      const before = this.#uploads.get(id);
      const choices = { ...before.choices, ...changed };
      // One choice at a time: until the answer, there is no text for another one to replace.
      const controls = find("#new-run-form").querySelectorAll(
        "#corpus-readings input, #corpus-licence input",
      );
      for (const control of controls) control.disabled = true;
      const corpus = await upload(before.file, choices);
      if (corpus) {
        const { gutenberg_licence: licence } = corpus;
        this.#uploads.set(corpus.id, { ...before, choices, licence });
        if (!this.#isUsed(id)) {
          this.#uploads.delete(id);
          await this.#showingProblem(api.deleteCorpus(id));
        }
        await this.#showingProblem(this.load(corpus.id));
      }
      for (const control of controls) control.disabled = false;
      if (!corpus) this.#show();
    };
    find("#drop-choose").addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      if (file.files[0]) await upload(file.files[0]);
      file.value = "";
    });
    onFileDropped(find("#drop"), {
      wanted: () => store.get().operator,
      // A table that is dropped on a chart is one of losses.
      accepts: (dropped) =>
        !isRunFile(dropped) &&
        !(isCsvFile(dropped) && store.get().runId && !document.querySelector("dialog[open]")),
      over: on.over,
      drop: (dropped) => {
        on.over();
        if (isSpecFile(dropped)) on.spec(dropped);
        else if (isWeightsFile(dropped)) on.weights(dropped);
        else upload(dropped);
      },
      refuse: (files) => {
        on.over();
        setText(find("#error-corpus"), `${files} files were dropped. Add one text at a time.`);
      },
    });
    find("#corpus-readings").addEventListener("change", async (event) => {
      await uploadAgain({ encoding: event.target.value });
      // Meanwhile another text may have been chosen, which has no question.
      find("#corpus-readings").querySelector("input:checked")?.focus();
    });
    find("#corpus-readings").addEventListener("click", (event) => {
      // A click on the reading that is chosen already is an answer too.
      if (event.target instanceof HTMLInputElement) this.answer(this.#chosen().id);
    });
    find("#corpus-licence-left-out").addEventListener("change", async (event) => {
      await uploadAgain({ leaveOutLicence: event.target.checked });
      find("#corpus-licence-left-out").focus();
    });
    this.#select.addEventListener("change", () => this.#show());
    find("#corpus-remove").addEventListener("click", () => this.#remove());
    find("#corpus-undo").addEventListener("click", () => this.#undo());
  }

  /** The form closes: an answered question about an encoding is not asked again. */
  endQuestions() {
    for (const upload of this.#uploads.values()) if (upload.answered) upload.readings = [];
  }

  /** Fetch the list of corpora, and choose one if it is there. The caller handles a Problem. */
  async load(choose) {
    const corpora = await api.listCorpora();
    this.#store.dispatch({ type: "corpora", corpora });
    this.#fill(choose ?? this.#select.value);
  }

  /** Delete a removed corpus on the server; it can no longer be undone. */
  async finishRemoval() {
    const corpus = this.#removed;
    this.#removed = null;
    find("#corpus-removed").hidden = true;
    if (corpus) await api.deleteCorpus(corpus.id);
  }

  #fill(chosen) {
    const all = Object.values(this.#store.get().corpora);
    const corpora = all.filter(({ id }) => id !== this.#removed?.id);
    const labels = corpusLabels(corpora);
    const option = ({ id }, index) => el("option", { value: id, text: labels[index] });
    this.#select.replaceChildren(...corpora.map(option));
    if (chosen) this.#select.value = chosen;
    if (!this.#select.value && corpora.length) this.#select.value = corpora[0].id;
    this.#show();
  }

  /** The chosen corpus, undefined if there is none. */
  #chosen() {
    return this.#store.get().corpora[this.#select.value];
  }

  #isUsed(id) {
    return (this.#store.get().runs ?? []).some((run) => run.corpus === id);
  }

  /** A run is started on a corpus, or one of its readings is chosen: its encoding is right. */
  answer(id) {
    const upload = this.#uploads.get(id);
    if (upload) upload.answered = true;
  }

  #show() {
    const corpus = this.#chosen();
    const used = this.#isUsed(corpus?.id);
    setText(find("#corpus-about"), corpus ? sizes(corpus) : "");
    find("#corpus-facts").replaceChildren(...(corpus ? facts(corpus) : []));
    const { operator } = this.#store.get();
    find("#corpus-remove").hidden = !operator || !corpus || corpus.shipped || used;
    this.#showExcerpt(corpus);
    this.#showReadings(corpus);
    this.#showLicence(corpus);
    this.#changed(corpus);
  }

  #showReadings(corpus) {
    const readings = this.#uploads.get(corpus?.id)?.readings ?? [];
    find("#corpus-readings").hidden = !readings.length;
    const choice = ({ encoding, excerpt }) =>
      el(
        "label",
        {},
        el("input", {
          type: "radio",
          name: "reading",
          value: encoding,
          checked: encoding === corpus.encoding,
        }),
        el("span", { text: encoding }),
        el("span", { class: "reading-lines", text: excerpt }),
      );
    find("#corpus-readings-list").replaceChildren(...readings.map(choice));
  }

  #showLicence(corpus) {
    const licence = this.#uploads.get(corpus?.id)?.licence;
    find("#corpus-licence").hidden = !licence;
    if (!licence) return;
    const { start, end, first_line: first, last_line: last, left_out: leftOut } = licence;
    const box = find("#corpus-licence-left-out");
    // It is disabled while the user's choice is carried out. A list that arrives then, because the
    // form was opened, must not undo that choice.
    if (!box.disabled) box.checked = leftOut;
    const size = (characters, place) =>
      characters && `${format.plural(characters, "character", "characters")} at the ${place}`;
    const sizes = [size(start, "start"), size(end, "end")].filter(Boolean);
    setText(find("#corpus-licence-size"), sizes.join(" and "));
    find("#corpus-licence-lines").replaceChildren(
      fact("First line without it", first),
      fact("Last line without it", last),
    );
  }

  async #showExcerpt(corpus) {
    if (corpus?.id === this.#excerptOf) return;
    this.#excerptOf = corpus?.id ?? null;
    setText(this.#excerpt, "");
    if (!corpus) return;
    try {
      const { text } = await api.getText(corpus.id, 0, EXCERPT_CHARACTERS);
      if (this.#excerptOf === corpus.id)
        setText(this.#excerpt, text.trim().replace(/\n\s*\n/g, "\n"));
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      this.#excerptOf = null; // the preview is optional; the next choice tries again
    }
  }

  /**
   * @param {File} file
   * @param {Choices} [choices]
   * @returns {Promise<ListedCorpus | null>}
   */
  async #upload(file, choices = {}) {
    const progress = find("#drop-progress");
    const problem = find("#error-corpus");
    setText(problem, "");
    progress.hidden = false;
    progress.value = 0;
    try {
      const corpus = await api.uploadCorpus(file, (share) => {
        // The upload is complete; the server is still analysing it.
        if (share < 1) progress.value = share;
        else progress.removeAttribute("value");
      }, choices);
      const { readings, gutenberg_licence: licence } = corpus;
      if (readings.length || licence)
        this.#uploads.set(corpus.id, { file, choices, readings, licence, answered: false });
      await this.load(corpus.id);
      return corpus;
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(problem, `${file.name}: ${error.message}`);
      return null;
    } finally {
      progress.hidden = true;
    }
  }

  /**
   * Remove a corpus. It is deleted when the form closes or another one is removed; until then this
   * can be undone.
   */
  async #remove() {
    const corpus = this.#chosen();
    await this.#showingProblem(this.finishRemoval());
    this.#removed = corpus;
    setText(
      find("#corpus-removed-name"),
      `“${corpus.name}” will be deleted when you close this form.`,
    );
    find("#corpus-removed").hidden = false;
    this.#fill(null);
    find("#corpus-undo").focus();
  }

  #undo() {
    const corpus = this.#removed;
    this.#removed = null;
    find("#corpus-removed").hidden = true;
    this.#fill(corpus.id);
    this.#select.focus();
  }

  async #showingProblem(promise) {
    try {
      await promise;
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(find("#error-corpus"), error.message);
    }
  }
}

/**
 * The label of each corpus in a list: its name, and where others have the same name, its size, its
 * encoding and the time at which it was added. Those added in one second are numbered.
 *
 * @param {ListedCorpus[]} corpora
 * @returns {string[]}
 */
function corpusLabels(corpora) {
  /** @type {Map<string, number>} */
  const counts = new Map();
  return corpora.map((corpus) => {
    const alike = corpora.filter(({ name }) => name === corpus.name);
    if (alike.length === 1) return corpus.name;
    const details = [
      `${format.count(corpus.characters)} characters`,
      corpus.encoding,
      corpus.created_at ? `added ${format.dateAndTime(corpus.created_at)}` : "comes with Hurrah",
    ];
    const label = `${corpus.name} (${details.join(", ")})`;
    const number = (counts.get(label) ?? 0) + 1;
    counts.set(label, number);
    return number === 1 ? label : `${label}, number ${number}`;
  });
}

const sizes = ({ characters, distinct, words }) =>
  [
    `${format.count(characters)} characters`,
    `${format.count(distinct)} distinct`,
    format.plural(words, "word", "words"),
  ].join(", ");

/** More facts about a corpus, as terms and descriptions. */
function facts({ encoding, names, repairs, licence }) {
  const more = names.length > LIMIT_NAMES ? ` and ${names.length - LIMIT_NAMES} more` : "";
  const known = [
    ["Names found", names.slice(0, LIMIT_NAMES).join(", ") + more || "none"],
    ["Encoding", encoding],
    repairs.length && ["Corrected", repairs.join(", ")],
    licence && ["Licence", licence],
  ];
  return known.filter(Boolean).map(([term, words]) => fact(term, words));
}

const fact = (term, words) => el("div", {}, el("dt", { text: term }), el("dd", { text: words }));
