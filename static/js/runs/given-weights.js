/** The part of the form for a new run that takes a file of weights to start from. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import * as api from "../net/api.js";

const RANDOM = "random, from the seed";

export class GivenWeights {
  /** The chosen file; null for random weights. @type {File | null} */
  file = null;
  /** @type {(sizes: Record<string, any>) => void} */
  #found;
  /** The text for which the file was checked. @type {string | null} */
  #checkedFor = null;

  /** @param {(sizes: Record<string, any>) => void} found called with the sizes of the network. */
  constructor(found) {
    this.#found = found;
  }

  /** @param {() => ListedCorpus | undefined} corpus the chosen text. */
  mount(corpus) {
    const input = find("#weights-file");
    find("#weights-choose").addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      if (input.files[0]) await this.take(input.files[0], corpus());
      input.value = "";
    });
    find("#weights-remove").addEventListener("click", () => {
      this.remove();
      find("#weights-choose").focus();
    });
  }

  /**
   * Use a file, if the server recognises it and it fits the text.
   *
   * @param {File} file
   * @param {ListedCorpus | undefined} corpus
   */
  async take(file, corpus) {
    if (!corpus) return;
    this.file = file;
    this.#checkedFor = null;
    await this.check(corpus);
  }

  /**
   * Check the file again when another text is chosen.
   *
   * @param {ListedCorpus | undefined} corpus
   */
  async check(corpus) {
    const { file } = this;
    if (!file || !corpus || this.#checkedFor === corpus.id) return;
    this.#checkedFor = corpus.id;
    setText(find("#error-weights"), "");
    setText(find("#weights-about"), `checking ${file.name}`);
    const current = () => this.file === file && this.#checkedFor === corpus.id;
    try {
      const found = await api.checkParameters(file, corpus.id);
      if (!current()) return;
      this.#show(found);
      const { cell, hidden_size, layers } = found;
      this.#found({ cell, hidden_size, layers });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (!current()) return;
      this.remove();
      setText(find("#error-weights"), `${file.name} is not used. ${error.message}`);
    }
  }

  /** Go back to random weights. */
  remove() {
    this.file = this.#checkedFor = null;
    setText(find("#error-weights"), "");
    setText(find("#weights-about"), RANDOM);
    find("#weights-remarks").hidden = find("#weights-remove").hidden = true;
  }

  /** @param {FoundParameters} found */
  #show({ file, cell, hidden_size: hiddenSize, layers, remarks }) {
    const sizes = [
      cell,
      format.plural(hiddenSize, "hidden unit", "hidden units"),
      ...(layers > 1 ? [format.plural(layers, "layer", "layers")] : []),
    ];
    setText(find("#weights-about"), `${file}: ${sizes.join(", ")}`);
    find("#weights-remarks").replaceChildren(...remarks.map((text) => el("li", { text })));
    find("#weights-remarks").hidden = !remarks.length;
    find("#weights-remove").hidden = false;
  }
}
