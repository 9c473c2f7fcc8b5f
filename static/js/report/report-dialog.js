/** The dialog that saves the report of the run in view, with the author's title and remarks. */

import * as api from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { FieldErrors } from "../ui/field-errors.js";
import { toast } from "../ui/toasts.js";

const ENDINGS = { html: "html", md: "zip" };

export class ReportDialog {
  #store;
  #dialog = find("#report-dialog");
  #form = find("#report-form");
  #errors = new FieldErrors(this.#form, "report-");
  /** @type {string | null} */
  #runId = null; // the run whose remarks are in the form
  /** @type {ReportRemarks | null} */
  #stored = null; // as the server has them
  /** @type {Passage | null} */
  #passage = null;
  /** @type {AbortController | null} */
  #request = null; // of the report or the passage in progress

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    // On a phone the controls have no space for the first one.
    for (const id of ["#report-open", "#export-report"]) {
      find(id).addEventListener("click", () => this.open());
    }
    find("[data-close]", this.#dialog).addEventListener("click", () => this.#dialog.close());
    // The server stops working for a dialog that is closed.
    this.#dialog.addEventListener("close", () => this.#request?.abort());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#save(event.submitter ?? find("#report-html"));
    });
    if (this.#isEditable()) {
      find("#report-write").addEventListener("click", () => this.#writePassage());
      find("#report-copy").addEventListener("click", () => this.#copyPassage());
    }
    store.watch(
      (state) => [state.runId],
      () => this.#dialog.close(),
    );
    // The id of the run is known before the run itself.
    store.watch(
      (state) => [state.run === null],
      (noRun) => {
        find("#report-open").disabled = noRun;
      },
    );
  }

  /** Open the dialog for the run in view. It keeps text that was typed before and not saved. */
  async open() {
    const { run } = this.#store.get();
    if (!run) return;
    setText(find("#report-problem"), "");
    this.#errors.clear();
    this.#dialog.showModal();
    // Also for viewers: the server prepares for the report meanwhile.
    if (this.#runId === run.id) return;
    try {
      this.#fill(run, await api.getReportRemarks(run.id));
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(find("#report-problem"), error.message);
    }
  }

  #isEditable() {
    return this.#store.get().operator;
  }

  #fill(run, remarks) {
    this.#runId = run.id;
    this.#stored = remarks;
    this.#passage = null;
    if (!this.#isEditable()) return;
    for (const field of this.#fields()) field.value = remarks[field.name];
    this.#form.elements.title.placeholder = run.name;
    const written = this.#fields().filter(({ type, value }) => type === "textarea" && value);
    const [translations, notes] = [
      written.filter(({ name }) => name === "translation"),
      written.filter(({ name }) => name !== "translation"),
    ];
    find("#report-remarks").open = notes.length > 0;
    find("#report-translation-part").open = translations.length > 0;
    this.#showPassage("", "");
  }

  /** @returns {any[]} */
  #fields() {
    return [...this.#form.querySelectorAll("input, textarea")];
  }

  /** The remarks as they are in the form. */
  #remarks() {
    const typed = Object.fromEntries(this.#fields().map(({ name, value }) => [name, value]));
    const stored = /** @type {ReportRemarks} */ (this.#stored);
    const translated =
      typed.translation === stored.translation
        ? stored.translated_update
        : (this.#passage?.source.update ?? null);
    return { ...stored, ...typed, translated_update: translated };
  }

  async #save(button) {
    const { run } = this.#store.get();
    if (!run || this.#request) return;
    await this.#during(button, async (signal) => {
      if (this.#isEditable() && this.#stored) {
        const remarks = this.#remarks();
        if (JSON.stringify(remarks) !== JSON.stringify(this.#stored)) {
          this.#stored = await api.saveReportRemarks(run.id, remarks);
        }
      }
      const blob = await api.getReport(run.id, button.value, signal);
      download(blob, `hurrah-${run.id}-report.${ENDINGS[button.value]}`);
      this.#dialog.close();
      toast("The report is saved among your downloads.");
    });
  }

  async #writePassage() {
    const { run } = this.#store.get();
    if (!run || this.#request) return;
    await this.#during(find("#report-write"), async (signal) => {
      let text = "";
      const onPieces = ([piece]) => this.#showPassage((text += piece), "");
      [this.#passage] = await api.writePassages(run.id, this.#passageRequest(), onPieces, signal);
      const { update } = this.#passage.source;
      this.#showPassage(text, `by the model of update ${format.count(update)}`);
    });
  }

  /** The same request as the server's for the report. */
  #passageRequest() {
    const { length, temperature, seed } = this.#dialog.dataset;
    return {
      source: "best",
      length: Number(length),
      temperature: Number(temperature),
      seed: Number(seed),
      top_k: null,
      top_p: null,
      prime: "",
      temperatures: null,
    };
  }

  async #copyPassage() {
    try {
      await navigator.clipboard.writeText(this.#passage?.text ?? "");
      setText(find("#report-source"), "Copied.");
    } catch {
      // There is no clipboard without a secure context.
      getSelection()?.selectAllChildren(find("#report-text"));
      setText(find("#report-source"), "Selected: copy it with the keyboard.");
    }
  }

  #showPassage(text, about) {
    setText(find("#report-text"), text);
    setText(find("#report-source"), about);
    find("#report-text").hidden = !text;
    find("#report-copy").hidden = !about;
  }

  /** Carry out a request, one at a time, and show why it was refused. */
  async #during(button, action) {
    const request = new AbortController();
    this.#request = request;
    button.setAttribute("aria-busy", "true");
    setText(find("#report-problem"), "");
    try {
      await action(request.signal);
    } catch (error) {
      if (request.signal.aborted) return;
      if (!(error instanceof api.Problem)) throw error;
      this.#showProblem(error);
    } finally {
      this.#request = null;
      button.removeAttribute("aria-busy");
    }
  }

  /** @param {api.Problem} problem */
  #showProblem(problem) {
    const { unplaced, first } = this.#errors.show(problem.fields);
    first?.focus();
    const placed = problem.fields.length > unplaced.length;
    setText(find("#report-problem"), placed ? "" : problem.message);
  }
}

function download(blob, name) {
  const href = URL.createObjectURL(blob);
  el("a", { href, download: name }).click();
  // The browser reads the URL after the click; a minute is more than enough.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}
