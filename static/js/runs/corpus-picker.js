/** Which text to learn from: one that is here, or the reader's own, with a look into it. */

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
  #removed = null; // the text whose removal can still be undone
  #excerptOf = null;

  /**
   * @param {Object} store
   * @param {{changed: (corpus: Object | undefined) => void, busy: (busy: boolean) => void,
   *   added: (corpus: Object) => void, over: () => void}} on another text is chosen; an upload is
   *   under way; it brought a text; a file hovers over the page.
   */
  constructor(store, on) {
    this.#store = store;
    this.#changed = on.changed;
    const file = find("#drop-file");
    const upload = async (dropped) => {
      on.busy(true);
      const corpus = await this.#upload(dropped);
      on.busy(false);
      if (corpus) on.added(corpus);
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
    });
    this.#select.addEventListener("change", () => this.#show());
    find("#corpus-remove").addEventListener("click", () => this.#remove());
    find("#corpus-undo").addEventListener("click", () => this.#undo());
  }

  /** Ask which texts there are; a Problem is the caller's to tell. */
  async load(choose) {
    const corpora = await api.listCorpora();
    this.#store.dispatch({ type: "corpora", corpora });
    this.#fill(choose ?? this.#select.value);
  }

  /** What was removed is gone for good now. */
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
    this.#changed(corpus);
  }

  async #showExcerpt(corpus) {
    if (corpus?.id === this.#excerptOf) return;
    this.#excerptOf = corpus?.id ?? null;
    setText(this.#excerpt, "");
    if (!corpus) return;
    try {
      const { text } = await api.getText(corpus.id, 0, EXCERPT_CHARACTERS);
      if (this.#excerptOf === corpus.id) setText(this.#excerpt, text.trim().replace(/\n\s*\n/g, "\n"));
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      this.#excerptOf = null; // a look into the text can be done without; the next choice asks again
    }
  }

  /** @returns {Promise<Object | null>} the text that the server made of the file. */
  async #upload(file) {
    const progress = find("#drop-progress");
    const problem = find("#error-corpus");
    setText(problem, "");
    progress.hidden = false;
    progress.value = 0;
    try {
      const corpus = await api.uploadCorpus(file, (share) => {
        // All of it is there: now the server finds out what it is.
        if (share < 1) progress.value = share;
        else progress.removeAttribute("value");
      });
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

  /** The text goes when the form does, or another one after it; until then it can come back. */
  async #remove() {
    const corpus = this.#store.get().corpora[this.#select.value];
    await this.#showingProblem(this.finishRemoval());
    this.#removed = corpus;
    setText(find("#corpus-removed-name"), `“${corpus.name}” is removed when you leave this form.`);
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

/** What else is known of a text, each as a term and its description. */
function facts({ encoding, names, repairs, licence }) {
  const more = names.length > LIMIT_NAMES ? ` and ${names.length - LIMIT_NAMES} more` : "";
  const known = [
    ["Names found", names.slice(0, LIMIT_NAMES).join(", ") + more || "none"],
    ["Encoding", encoding],
    repairs.length && ["Repaired", repairs.join(", ")],
    licence && ["Licence", licence],
  ];
  return known
    .filter(Boolean)
    .map(([term, words]) => el("div", {}, el("dt", { text: term }), el("dd", { text: words })));
}
