/** The dialog with all watched words; the operator can edit them. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { watchWords } from "../state/samples.js";
import { aboutRun, toast } from "../ui/toasts.js";
import { showChips, watchWordGroups } from "./watched-words.js";

export class WatchedWordsDialog {
  #store;
  #dialog = find("#words-dialog");
  #saving = false;
  #text = this.#dialog.querySelector("#words-text"); // only for the operator

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    for (const id of ["#words-open", "#words-more"]) {
      find(id).addEventListener("click", () => this.open());
    }
    for (const button of this.#dialog.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.#dialog.close());
    }
    store.watch(
      (state) => [state.runId],
      () => this.#dialog.close(),
    );
    watchWordGroups(store, (groups, updates) => this.#show(groups, updates));
    const form = find("#words-form");
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (this.#text) this.#save(wordsIn(this.#text.value));
    });
    if (!this.#text) return;
    find("#words-default").addEventListener("click", () => this.#save(null));
    this.#text.addEventListener("input", () => this.#showProblem(""));
  }

  open() {
    const { run } = this.#store.get();
    if (!run) return;
    if (this.#text) this.#text.value = watchWords(run).join("\n");
    this.#showProblem("");
    this.#dialog.showModal();
  }

  #show({ seen, pending, former }, updates) {
    const close = () => this.#dialog.close();
    const words = [...seen, ...former];
    setText(find("#words-seen-title"), `Written: ${format.count(seen.length)}`);
    setText(find("#words-pending-title"), `Not written yet: ${format.count(pending.length)}`);
    showChips(find("#words-seen"), words, updates, this.#store, close);
    showChips(find("#words-pending"), pending, updates, this.#store);
    find("#words-seen").parentElement.hidden = !words.length;
    find("#words-pending").parentElement.hidden = !pending.length;
  }

  #showProblem(text) {
    if (this.#text) setText(find("#words-problem"), text);
  }

  /** Watch other words; null for the names found in the corpus. */
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
      toast(aboutRun(run, `${all} watched now.`), {
        label: "Undo",
        run: () => this.#undo(run, before),
      });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      this.#showProblem(error.message);
    } finally {
      this.#saving = false;
    }
  }

  async #undo(run, words) {
    try {
      this.#store.dispatch({
        type: "run",
        run: await api.changeRun(run.id, { watch_words: words }),
      });
      toast(aboutRun(run, "The watched words were restored."));
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(aboutRun(run, error.message));
    }
  }
}

/** The words of a text, separated by line breaks or commas. */
const wordsIn = (text) =>
  text
    .split(/[\n,;]+/u)
    .map((word) => word.trim())
    .filter(Boolean);

const sameWords = (a, b) => a.join("\n") === b.join("\n");
