/** All the watched words in one place, and a small editor of them for the operator. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { watchWords } from "../state/samples.js";
import { toast } from "../ui/toasts.js";
import { chipsOf, watchWall } from "./watched-words.js";

export class WordsDialog {
  #store;
  #dialog = find("#words-dialog");
  #saving = false;
  #text = this.#dialog.querySelector("#words-text"); // the operator's alone

  /** @param {Object} store */
  constructor(store) {
    this.#store = store;
    find("#words-open").addEventListener("click", () => this.open());
    for (const button of this.#dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.#dialog.close());
    }
    store.watch(
      (state) => [state.runId],
      () => this.#dialog.close(),
    );
    watchWall(store, (wall, came) => this.#show(wall, came));
    const form = find("#words-form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#text) this.#save(wordsIn(this.#text.value));
    });
    if (!this.#text) return;
    find("#words-own").addEventListener("click", () => this.#save(null));
    this.#text.addEventListener("input", () => this.#complain(""));
  }

  open() {
    const { run } = this.#store.get();
    if (!run) return;
    if (this.#text) this.#text.value = watchWords(run).join("\n");
    this.#complain("");
    this.#dialog.showModal();
  }

  #show({ come, awaited, others }, came) {
    const close = () => this.#dialog.close();
    const words = [...come, ...others];
    setText(find("#words-come-title"), `Have come: ${format.count(come.length)}`);
    setText(find("#words-awaited-title"), `Still awaited: ${format.count(awaited.length)}`);
    find("#words-come").replaceChildren(...chipsOf(words, came, this.#store, close));
    find("#words-awaited").replaceChildren(...chipsOf(awaited, came, this.#store));
    find("#words-come").parentElement.hidden = !words.length;
    find("#words-awaited").parentElement.hidden = !awaited.length;
  }

  #complain(text) {
    if (this.#text) setText(find("#words-problem"), text);
  }

  /** Watch for other words; null: for those that the text's own names are. */
  async #save(words) {
    const { run } = this.#store.get();
    const before = watchWords(run);
    if (this.#saving) return;
    this.#saving = true;
    try {
      const changed = await api.changeRun(run.id, { watch_words: words });
      this.#store.dispatch({ type: "run", run: changed });
      this.#dialog.close();
      if (sameWords(before, watchWords(changed))) return;
      const all = format.plural(watchWords(changed).length, "word is", "words are");
      toast(`${all} watched now.`, { label: "Undo", run: () => this.#undo(run.id, before) });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      this.#complain(error.message);
    } finally {
      this.#saving = false;
    }
  }

  async #undo(runId, words) {
    try {
      this.#store.dispatch({
        type: "run",
        run: await api.changeRun(runId, { watch_words: words }),
      });
      toast("The watched words are as they were.");
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    }
  }
}

/** The words of a text with one on each line, or with commas between. */
const wordsIn = (text) =>
  text
    .split(/[\n,;]+/u)
    .map((word) => word.trim())
    .filter(Boolean);

const sameWords = (a, b) => a.join("\n") === b.join("\n");
