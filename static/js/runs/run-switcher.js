/** The run in view, and the list of runs: open, rename, delete with undo. */

import { el, find, focusedElement, icon, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { popover } from "../ui/popover.js";
import { nameField } from "./inline-rename.js";

const REFRESH_MS = 3000;

export class RunSwitcher {
  #store;
  #currentRun;
  #undoDelete;
  #button = find("#run-switch");
  #list = find("#run-list");
  #panel;
  #renaming = false;
  #timer = null;

  /**
   * @param {WatchStore} store
   * @param {any} undoDelete
   * @param {any} currentRun see state/current-run.js.
   */
  constructor(store, undoDelete, currentRun) {
    this.#store = store;
    this.#undoDelete = undoDelete;
    this.#currentRun = currentRun;
    this.#panel = popover(this.#button, find("#run-panel"), () => this.#opened());
    store.watch(
      ({ run, runId, runs }) => [run?.name, run?.state, run?.spec, runId, runs?.length],
      () => this.#showRun(),
    );
    store.watch(
      (state) => [state.runs],
      () => this.#panel.isOpen() && this.#fill(),
    );
  }

  #showRun() {
    const { run, runs } = this.#store.get();
    setText(find("#run-name"), run?.name ?? (runs?.length === 0 ? "No run yet" : "Loading"));
    setText(find("#run-about"), run ? summary(run) : "");
    find("#run-dot").dataset.state = run?.state ?? "";
    this.#button.title = run ? `${run.name}: ${format.stateLabel(run.state)}` : "";
    document.title = run ? `${run.name} · Hurrah` : "Hurrah";
  }

  #opened() {
    this.#renaming = false;
    this.#fill();
    this.#currentRun.refreshRuns();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      if (this.#panel.isOpen()) this.#currentRun.refreshRuns();
      else clearInterval(this.#timer);
    }, REFRESH_MS);
  }

  #fill() {
    if (this.#renaming) return;
    const { runs, run } = this.#store.get();
    const focused = this.#focused();
    // Live data is newer than the list.
    const fresh = (runs ?? []).map((each) => (each.id === run?.id ? run : each));
    this.#list.replaceChildren(...fresh.map((each) => this.#row(each)));
    if (!fresh.length) this.#list.append(el("li", { class: "hint", text: "No runs yet." }));
    if (focused) this.#focus(...focused);
  }

  #row(run) {
    const { runId, operator } = this.#store.get();
    const open = () => {
      this.#panel.close();
      this.#currentRun.open(run.id);
    };
    const item = el(
      "li",
      { class: "run-row", "data-run": run.id, "aria-current": run.id === runId ? "true" : null },
      el(
        "button",
        { type: "button", class: "run-open", on: { click: open } },
        el("span", { class: "dot", "data-state": run.state }),
        el("span", { class: "run-name", text: run.name }),
        el("span", { class: "run-about", text: `${stateLine(run)}; ${summary(run)}` }),
      ),
    );
    if (operator) {
      item.append(
        small("edit", `Rename ${run.name}`, () => this.#rename(item, run)),
        small("trash", `Delete ${run.name}`, () => this.#remove(run)),
      );
    }
    return item;
  }

  #rename(item, run) {
    this.#renaming = true;
    const renamed = (now) => {
      this.#store.dispatch({ type: "run", run: now });
      this.#currentRun.refreshRuns();
    };
    const field = nameField(run, renamed, () => {
      this.#renaming = false;
      this.#fill();
      this.#focus(run.id, 1);
    });
    item.replaceChildren(field);
  }

  #remove(run) {
    const { runId } = this.#store.get();
    const rows = [...this.#list.querySelectorAll("[data-run]")].map((row) => row.dataset.run);
    const at = rows.indexOf(run.id);
    const watched = run.id === runId;
    this.#undoDelete.start({ id: run.id, run: run.id, name: `“${run.name}”` }, () => {
      if (watched) this.#currentRun.open(run.id);
      this.#focus(run.id, 0);
    });
    this.#focus(rows[at + 1] ?? rows[at - 1], 2);
    if (watched) this.#currentRun.open(this.#currentRun.defaultRunId());
  }

  /** The run whose row has the focus, and the index of the focused button. */
  #focused() {
    /** @type {HTMLElement | null | undefined} */
    const row = focusedElement()?.closest("[data-run]");
    if (!row || !this.#list.contains(row)) return null;
    return [row.dataset.run, [...row.children].indexOf(document.activeElement)];
  }

  /** Focus a button of a run's row; without the row, the button that opens the list. */
  #focus(id, button) {
    if (!this.#panel.isOpen()) return;
    const row = [...this.#list.children].find((each) => each.dataset.run === id);
    (row?.children[button] ?? this.#button).focus();
  }
}

/** "The Lamps of Saltmere, rnn 100, adagrad 0.1", without the corpus if the run has its name. */
const summary = (run) =>
  [run.corpus_name === run.name ? null : run.corpus_name, format.networkSummary(run.spec)]
    .filter(Boolean)
    .join(", ");

const stateLine = (run) => `${format.stateLabel(run.state)} at ${format.count(run.update)}`;

function small(name, label, click) {
  return el(
    "button",
    {
      type: "button",
      class: "button button-small button-square button-plain",
      "aria-label": label,
      title: label,
      on: { click },
    },
    icon(name),
  );
}
