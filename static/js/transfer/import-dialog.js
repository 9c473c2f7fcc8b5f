/** Importing a run from its file: chosen or dropped, with progress, and its text where it lacks. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isRunFile, onFileChosen, onFileDropped } from "../ui/file-drop.js";
import { toast } from "../ui/toasts.js";

export class ImportDialog {
  #store;
  #imported;
  #dialog = find("#import-dialog");
  #progress = find("#import-progress");
  #problem = find("#import-problem");
  #text = find("#import-text");
  /** @type {File | null} */
  #file = null;
  /** @type {AbortController | null} of the request in progress. */
  #request = null;

  /**
   * @param {WatchStore} store
   * @param {(run: Run) => void} imported called with the new run.
   */
  constructor(store, imported) {
    this.#store = store;
    this.#imported = imported;
    const [file, text] = [find("#import-file"), find("#import-text-file")];
    for (const id of ["#import-open", "#empty-import"]) {
      document.querySelector(id)?.addEventListener("click", () => file.click());
    }
    onFileChosen(file, (chosen) => this.open(chosen));
    find("#import-text-choose").addEventListener("click", () => text.click());
    onFileChosen(text, (chosen) => this.#send(chosen));
    find("#import-cancel").addEventListener("click", () => this.#dialog.close());
    // Also by Escape. A request that the server has not completed changes nothing.
    this.#dialog.addEventListener("close", () => this.#request?.abort());
    onFileDropped(this.#dialog, {
      wanted: () => store.get().operator,
      accepts: isRunFile,
      drop: (dropped) => this.open(dropped),
    });
  }

  /**
   * Import a run from a file.
   *
   * @param {File} file
   */
  open(file) {
    if (this.#request) return;
    this.#file = file;
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#send(null);
  }

  /** @param {File | null} text the text of the run, if it was asked for. */
  async #send(text) {
    const file = /** @type {File} */ (this.#file);
    const request = new AbortController();
    this.#request = request;
    this.#show({ busy: true });
    try {
      const run = await api.importRun(file, text, (share) => this.#showProgress(share), request);
      this.#dialog.close();
      this.#announce(run);
      this.#imported(run);
    } catch (error) {
      if (request.signal.aborted) {
        toast("The import was cancelled.");
        return;
      }
      if (!(error instanceof api.Problem)) throw error;
      const textIsMissing = error.fields.some(({ field }) => field === "text");
      this.#show({ busy: false, problem: error.message, textIsMissing });
    } finally {
      this.#request = null;
    }
  }

  /** @param {{busy: boolean, problem?: string, textIsMissing?: boolean}} state */
  #show({ busy, problem = "", textIsMissing = false }) {
    const { name, size } = /** @type {File} */ (this.#file);
    setText(find("#import-name"), `${name}, ${format.bytes(size)}`);
    setText(find("#import-state"), busy ? "Uploading." : "");
    this.#progress.hidden = !busy;
    this.#progress.value = 0;
    setText(this.#problem, problem);
    this.#text.hidden = !textIsMissing;
    setText(find("#import-cancel"), busy ? "Cancel" : "Close");
    if (textIsMissing) find("#import-text-choose").focus();
  }

  /** @param {number} share of the file that has been uploaded, 0 to 1. */
  #showProgress(share) {
    if (share < 1) {
      this.#progress.value = share;
      return;
    }
    this.#progress.removeAttribute("value");
    setText(find("#import-state"), "Checking the file.");
  }

  /** @param {Run} run */
  #announce({ name, forked_from: from }) {
    const parent = from && this.#store.get().runs?.some(({ id }) => id === from.run);
    const missing = from && !parent ? " The run that it was forked from is not here." : "";
    toast(`“${name}” was imported.${missing}`);
  }
}
