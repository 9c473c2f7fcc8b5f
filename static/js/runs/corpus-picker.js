/** The choice of a corpus: an existing one or an upload, with a preview. */

import * as api from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { onFileDropped } from "../ui/file-drop.js";

const EXCERPT_CHARACTERS = 420;
const LIMIT_NAMES = 8;

export class CorpusPicker {
  #store;
  #changed;
  #select = find("#new-corpus");
  #excerpt = find("#corpus-excerpt");
  #removed = null; // the corpus whose deletion can still be undone
  #excerptOf = null;
  /** @type {{id: string, file: File, readings: Reading[]} | null} */
  #question = null; // an upload whose encoding is uncertain

  /**
   * @param {WatchStore} store
   * @param {Object} on
   * @param {(corpus: ListedCorpus | undefined) => void} on.changed another corpus is chosen.
   * @param {(busy: boolean) => void} on.busy an upload starts or ends.
   * @param {(corpus: ListedCorpus) => void} on.added an upload added a corpus.
   * @param {() => void} on.over a file is dragged over the page.
   */
  constructor(store, on) {
    this.#store = store;
    this.#changed = on.changed;
    const file = find("#drop-file");
    const upload = async (dropped, encoding) => {
      on.busy(true);
      const corpus = await this.#upload(dropped, encoding);
      on.busy(false);
      if (corpus) on.added(corpus);
      return corpus;
    };
    find("#drop-choose").addEventListener("click", () => file.click());
    file.addEventListener("change", async () => {
      if (file.files[0]) await upload(file.files[0]);
      file.value = "";
    });
    onFileDropped(find("#drop"), {
      wanted: () => store.get().operator,
      over: on.over,
      drop: upload,
      refuse: (files) =>
        setText(find("#error-corpus"), `${files} files were dropped. Add one text at a time.`),
    });
    find("#corpus-readings").addEventListener("change", async (event) => {
      const { id, file: asked, readings } = this.#question;
      const corpus = await upload(asked, event.target.value);
      if (!corpus) return;
      this.#question = { id: corpus.id, file: asked, readings };
      await this.#showingProblem(api.deleteCorpus(id));
      await this.#showingProblem(this.load(corpus.id));
      find("#corpus-readings input:checked").focus();
    });
    this.#select.addEventListener("change", () => this.#show());
    find("#corpus-remove").addEventListener("click", () => this.#remove());
    find("#corpus-undo").addEventListener("click", () => this.#undo());
  }

  /** Fetch the list of corpora. The caller handles a Problem. */
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
    const option = ({ id, name }) => el("option", { value: id, text: name });
    this.#select.replaceChildren(...corpora.map(option));
    if (chosen) this.#select.value = chosen;
    if (!this.#select.value && corpora.length) this.#select.value = corpora[0].id;
    this.#show();
  }

  #show() {
    const { corpora, runs } = this.#store.get();
    const corpus = corpora[this.#select.value];
    const used = (runs ?? []).some((run) => run.corpus === corpus?.id);
    setText(find("#corpus-about"), corpus ? sizes(corpus) : "");
    find("#corpus-facts").replaceChildren(...(corpus ? facts(corpus) : []));
    find("#corpus-remove").hidden = !corpus || corpus.shipped || used;
    this.#showExcerpt(corpus);
    this.#showReadings(corpus);
    this.#changed(corpus);
  }

  #showReadings(corpus) {
    const asked = this.#question !== null && this.#question.id === corpus?.id;
    find("#corpus-readings").hidden = !asked;
    if (!asked) return;
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
    find("#corpus-readings-list").replaceChildren(...this.#question.readings.map(choice));
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
   * @param {string} [encoding] the answer to the question about the encoding
   * @returns {Promise<ListedCorpus | null>}
   */
  async #upload(file, encoding) {
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
      }, encoding);
      if (corpus.readings.length)
        this.#question = { id: corpus.id, file, readings: corpus.readings };
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
    const corpus = this.#store.get().corpora[this.#select.value];
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
  return known
    .filter(Boolean)
    .map(([term, words]) => el("div", {}, el("dt", { text: term }), el("dd", { text: words })));
}
