/** The panel under the chart that lays the user's own losses over it. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import * as api from "../net/api.js";
import { isCsvFile, onFileDropped } from "../ui/file-drop.js";
import { popover } from "../ui/popover.js";
import { toast, UNDO_MS } from "../ui/toasts.js";

export class OwnLossesPanel {
  #store;
  #button = find("#own-open");
  #panel;
  #problem = find("#own-problem");
  /** The file that is shown and not kept with the run. @type {File | null} */
  #file = null;

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    this.#panel = popover(this.#button, find("#own-panel"), () => this.#refresh());
    const input = find("#own-file");
    find("#own-choose").addEventListener("click", () => input.click());
    input.addEventListener("change", async () => {
      if (input.files[0]) await this.#show(input.files[0]);
      input.value = "";
    });
    find("#own-keep").addEventListener("click", () => this.#keep());
    find("#own-remove").addEventListener("click", () => this.#remove());
    onFileDropped(find("#chart"), {
      wanted: () => store.get().runId !== null && !document.querySelector("dialog[open]"),
      accepts: isCsvFile,
      drop: (file) => {
        if (!this.#panel.isOpen()) this.#button.click();
        this.#show(file);
      },
    });
    store.watch(
      ({ runId, run }) => [runId, run !== null, keyOf(run?.own_losses)],
      (runId, known, kept) => known && this.#follow(runId, kept),
    );
    store.watch(
      ({ ownLosses, operator, runId }) => [ownLosses, operator, runId],
      (own, operator, runId) => {
        this.#button.disabled = !runId;
        this.#describe(own, operator);
      },
    );
  }

  /**
   * Show the losses that are kept with the run, or take away those that no longer are.
   *
   * @param {string} runId
   * @param {string | null} kept
   */
  async #follow(runId, kept) {
    const { ownLosses } = this.#store.get();
    if (kept) await this.#fetch(runId);
    else if (ownLosses?.kept) this.#set(null);
  }

  /** @param {string} runId */
  async #fetch(runId) {
    const result = await api.nullOnProblem(api.getOwnLosses(runId));
    if (result && this.#store.get().runId === runId) this.#set({ result, kept: true });
  }

  /** Compare again, because the run may have made more updates. */
  async #refresh() {
    const { runId, ownLosses } = this.#store.get();
    setText(this.#problem, "");
    if (!runId || !ownLosses) return;
    if (ownLosses.kept) await this.#fetch(runId);
    else if (this.#file) await this.#show(this.#file);
  }

  /** @param {File} file */
  async #show(file) {
    await this.#send(file, api.compareOwnLosses, false);
  }

  async #keep() {
    if (this.#file) await this.#send(this.#file, api.keepOwnLosses, true);
    find("#own-remove").focus();
  }

  /**
   * @param {File} file
   * @param {(runId: string, file: File) => Promise<OwnLossesResult>} request
   * @param {boolean} kept
   */
  async #send(file, request, kept) {
    const { runId } = this.#store.get();
    if (!runId) return;
    setText(this.#problem, "");
    try {
      const result = await request(runId, file);
      if (this.#store.get().runId !== runId) return;
      this.#file = file;
      this.#set({ result, kept });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(this.#problem, `${file.name} is not shown. ${error.message}`);
    }
  }

  async #remove() {
    const { runId, ownLosses } = this.#store.get();
    if (!runId || !ownLosses) return;
    let file = this.#file;
    try {
      if (ownLosses.kept) {
        file = new File([await api.getOwnLossesFile(runId)], ownLosses.result.file);
        await api.removeOwnLosses(runId);
      }
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(this.#problem, error.message);
      return;
    }
    // First the panel, which has the focus: a hidden button would lose it to the page.
    this.#panel.close();
    this.#set(null);
    const { kept } = ownLosses;
    toast("Your losses were removed.", {
      label: "Undo",
      lastsMs: UNDO_MS,
      run: async () => {
        if (file && this.#store.get().runId === runId) {
          await this.#send(file, kept ? api.keepOwnLosses : api.compareOwnLosses, kept);
        }
      },
    });
  }

  /** @param {ShownLosses | null} ownLosses */
  #set(ownLosses) {
    if (!ownLosses || ownLosses.kept) this.#file = null;
    this.#store.dispatch({ type: "ownLosses", ownLosses });
  }

  /**
   * @param {ShownLosses | null} own
   * @param {boolean} operator
   */
  #describe(own, operator) {
    find("#own-about").hidden = own !== null;
    find("#own-shown").hidden = own === null;
    find("#own-keep").hidden = !own || own.kept || !operator;
    find("#own-remove").hidden = !own || (own.kept && !operator);
    setText(find("#own-choose-word"), own ? "Another file" : "Choose a file");
    this.#button.setAttribute("aria-pressed", String(own !== null));
    if (!own) return;
    const { file, rows, remarks, comparison } = own.result;
    const kept = own.kept ? "kept with the run" : "shown here only";
    setText(find("#own-name"), `${file}: ${format.plural(rows, "row", "rows")}, ${kept}`);
    setText(find("#own-comparison"), comparison.text);
    find("#own-remarks").replaceChildren(...remarks.map((text) => el("li", { text })));
    find("#own-remarks").hidden = !remarks.length;
  }
}

/** @param {OwnLosses | null | undefined} kept */
const keyOf = (kept) => (kept ? JSON.stringify(kept) : null);
