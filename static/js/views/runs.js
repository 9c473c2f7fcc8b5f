/** The run in view, and the list of runs to turn to: open, rename, delete with undo. */

import * as api from "../api.js";
import { el, find, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { popover } from "./popover.js";
import { toast } from "./toasts.js";

const REFRESH_MS = 3000;

export class RunSwitch {
  #store;
  #openRun;
  #refreshRuns;
  #button = find("#run-switch");
  #list = find("#run-list");
  #panel;
  #leaving = new Set(); // runs whose deletion can still be undone
  #renaming = null;
  #timer = null;

  /**
   * @param {Object} store
   * @param {{openRun: (id: string) => void, refreshRuns: () => Promise<boolean>}} deeds
   */
  constructor(store, { openRun, refreshRuns }) {
    this.#store = store;
    this.#openRun = openRun;
    this.#refreshRuns = refreshRuns;
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
    setText(find("#run-about"), run ? about(run) : "");
    find("#run-dot").dataset.state = run?.state ?? "";
    this.#button.title = run ? `${run.name}: ${format.stateWord(run.state)}` : "";
    document.title = run ? `${run.name} · Hurrah` : "Hurrah";
  }

  #opened() {
    this.#renaming = null;
    this.#fill();
    this.#refreshRuns();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      if (this.#panel.isOpen()) this.#refreshRuns();
      else clearInterval(this.#timer);
    }, REFRESH_MS);
  }

  #fill() {
    if (this.#renaming) return;
    const { runs, run } = this.#store.get();
    const shown = (runs ?? []).filter(({ id }) => !this.#leaving.has(id));
    // What is known live is newer than the list.
    const fresh = shown.map((each) => (each.id === run?.id ? run : each));
    this.#list.replaceChildren(...fresh.map((each) => this.#row(each)));
    if (!shown.length) this.#list.append(el("li", { class: "hint", text: "No runs yet." }));
  }

  #row(run) {
    const { runId, operator } = this.#store.get();
    const open = () => {
      this.#panel.close();
      this.#openRun(run.id);
    };
    const item = el(
      "li",
      { class: "run-row", "aria-current": run.id === runId ? "true" : null },
      el(
        "button",
        { type: "button", class: "run-open", on: { click: open } },
        el("span", { class: "dot", "data-state": run.state }),
        el("span", { class: "run-name", text: run.name }),
        el("span", { class: "run-about", text: `${standing(run)}; ${about(run)}` }),
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
    this.#renaming = run.id;
    const input = el("input", {
      class: "run-rename",
      value: run.name,
      maxlength: 120,
      "aria-label": "New name",
    });
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") this.#renamed(run, input.value);
      if (event.key === "Escape") this.#renamed(run, run.name);
    });
    input.addEventListener("blur", () => this.#renamed(run, input.value));
    item.replaceChildren(input);
    input.focus();
    input.select();
  }

  async #renamed(run, typed) {
    if (this.#renaming !== run.id) return; // Enter takes the input away, which also blurs it
    this.#renaming = null;
    const name = typed.trim();
    await saying(async () => {
      if (name && name !== run.name) {
        this.#store.dispatch({ type: "run", run: await api.changeRun(run.id, { name }) });
      }
    });
    await this.#refreshRuns();
    this.#fill();
  }

  /** The deletion itself waits until it can no longer be undone. */
  #remove(run) {
    this.#leaving.add(run.id);
    this.#fill();
    this.#button.focus();
    toast(`“${run.name}” is being deleted, with all it kept.`, {
      label: "Undo",
      run: () => {
        this.#leaving.delete(run.id);
        this.#fill();
      },
      onClose: async () => {
        await saying(() => api.deleteRun(run.id));
        this.#leaving.delete(run.id);
        await this.#refreshRuns();
      },
    });
  }
}

/** Do it, and say the server's refusal if it refuses; that it is gone already is none. */
async function saying(deed) {
  try {
    await deed();
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    if (error.status !== 404) toast(error.message);
  }
}

/** "The Lamps of Saltmere, rnn 100, adagrad 0.1", without a text that gave the run its name. */
const about = (run) =>
  [run.corpus_name === run.name ? null : run.corpus_name, format.network(run.spec)]
    .filter(Boolean)
    .join(", ");

const standing = (run) => `${format.stateWord(run.state)} at ${format.count(run.update)}`;

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
