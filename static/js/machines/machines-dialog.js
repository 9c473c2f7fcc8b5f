/** The machines, their slots, the runs that train on each, and the runs that wait for a slot. */

import * as api from "../net/api.js";
import { el, find, focusedElement, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { toast } from "../ui/toasts.js";
import { machineState, runLine, summary, waitingRuns } from "./machine-text.js";

const REFRESH_MS = 2000;

export class MachinesDialog {
  #store;
  #currentRun;
  #dialog = find("#machines-dialog");
  #list = find("#machines-list");
  #waiting = find("#machines-waiting");
  /** @type {Machine[]} */
  #machines = [];
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {WatchStore} store
   * @param {any} currentRun see state/current-run.js.
   */
  constructor(store, currentRun) {
    this.#store = store;
    this.#currentRun = currentRun;
    find("#machines-open").addEventListener("click", () => this.#open());
    this.#dialog.addEventListener("close", () => {
      clearInterval(this.#timer);
      // The button that opened it is in the list of runs, which is closed.
      find("#run-switch").focus();
    });
    store.watch(
      (state) => [state.runs],
      () => this.#dialog.open && this.#draw(),
    );
  }

  async #open() {
    if (!(await this.#refresh())) {
      toast("The machines cannot be listed: the server does not answer.");
      return;
    }
    this.#dialog.showModal();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#refresh(), REFRESH_MS);
  }

  /** @returns {Promise<boolean>} whether the server could be reached. */
  async #refresh() {
    const [machines] = await Promise.all([
      api.nullOnProblem(api.listMachines()),
      this.#currentRun.refreshRuns(),
    ]);
    if (machines) {
      this.#machines = machines;
      this.#draw();
    }
    return machines !== null;
  }

  #draw() {
    const runs = this.#store.get().runs ?? [];
    const focused = this.#focusedRun();
    const waiting = waitingRuns(runs);
    setText(find("#machines-summary"), summary(this.#machines, waiting.length));
    this.#list.replaceChildren(...this.#machines.map((machine) => this.#row(machine, runs)));
    this.#waiting.hidden = !waiting.length;
    find("#machines-waiting-list").replaceChildren(...waiting.map((run) => this.#run(run.id, run)));
    if (focused) this.#focus(focused);
  }

  /** @param {Machine} machine @param {Run[]} runs */
  #row(machine, runs) {
    const used = el("span", { class: "slots-used" });
    used.style.inlineSize = `${100 * Math.min(machine.used / Math.max(machine.slots, 1), 1)}%`;
    const trains = machine.runs.map((id) =>
      this.#run(
        id,
        runs.find((each) => each.id === id),
      ),
    );
    return el(
      "li",
      { class: "machine", "data-machine": machine.name, "data-state": machine.state },
      el("h3", { text: machine.name }),
      el("p", { class: "machine-state", text: machineState(machine) }),
      el("p", { class: "machine-address hint", text: machine.address }),
      el("span", { class: "slots", "aria-hidden": "true" }, used),
      trains.length
        ? el("ul", { class: "machine-runs" }, ...trains)
        : el("p", { class: "hint", text: "No run trains here." }),
    );
  }

  /** @param {string} id @param {Run | undefined} run undefined if it is not in the list yet. */
  #run(id, run) {
    const open = () => {
      this.#dialog.close();
      this.#currentRun.open(id);
    };
    return el(
      "li",
      {},
      el(
        "button",
        { type: "button", class: "run-open", "data-run": id, on: { click: open } },
        el("span", { class: "dot", "data-state": run?.state ?? "running" }),
        el("span", { class: "run-name", text: run?.name ?? id }),
        el("span", { class: "run-about", text: run ? runLine(run) : "" }),
      ),
    );
  }

  #focusedRun() {
    const focused = focusedElement();
    return this.#dialog.contains(focused) ? focused?.dataset.run : undefined;
  }

  /** @param {string} id of a run; when its row has gone, the heading has the focus. */
  #focus(id) {
    const rows = /** @type {HTMLElement[]} */ ([...this.#dialog.querySelectorAll("[data-run]")]);
    (rows.find(({ dataset }) => dataset.run === id) ?? find("#machines-title")).focus();
  }
}
