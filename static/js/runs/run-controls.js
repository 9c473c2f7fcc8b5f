/** The controls of the run in view: pause, step, pace, stop. */

import * as api from "../net/api.js";
import { find, radios, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { LIMITS } from "../lib/limits.js";
import { aboutRun, toast } from "../ui/toasts.js";

const CAN_RESUME = ["paused", "interrupted", "failed"];
const ACTIVE = ["running", "paused", "queued", "interrupted"];
const STANDARD_PACES = [1, 10, 100];

export class RunControls {
  #store;
  #pause = find("#pause");
  #step = find("#step");
  #stepCount = find("#step-count");
  #stop = find("#stop");
  #stopDialog = find("#stop-dialog");
  #customPace = find("#pace-custom");
  #paces = radios("pace");
  /** @type {{runId: string | null, pace: number} | null} */
  #custom = null; // the last pace of this run that is not among the choices
  #pending = new Set();
  /** @type {{runId: string | null, updates: number} | null} */
  #nextStep = null;
  #stopping = false; // whether the stop dialog is open for the run in view

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    this.#pause.addEventListener("click", () => this.togglePause());
    this.#step.addEventListener("click", () => this.step());
    this.#stepCount.addEventListener("keydown", (event) => {
      if (event.key === "Enter") this.step();
    });
    for (const input of this.#paces) {
      input.addEventListener("change", () => this.#changePace(input));
    }
    this.#stop.addEventListener("click", () => this.#confirmStop());
    this.#stopDialog.addEventListener("close", () => {
      const asked = this.#stopping; // the list of runs uses the dialog too
      this.#stopping = false;
      if (!asked || this.#stopDialog.returnValue !== "stop") return;
      this.#request(this.#stop, (run) => api.stop(run.id));
    });
    store.watch(
      ({ run, runId, runs }) => [run?.state, run?.spec.pace, runId, runs?.length],
      () => this.#show(),
    );
  }

  /** Pause or resume the run. */
  togglePause() {
    return this.#request(this.#pause, (run) =>
      CAN_RESUME.includes(run.state) ? api.resume(run.id) : api.pause(run.id),
    );
  }

  /** Pause, and then make a step of one update. */
  async pauseAndStep() {
    if (this.#store.get().run?.state === "running") await this.togglePause();
    if (this.#store.get().run?.state === "paused") await this.#stepBy(1);
  }

  /** Resume with half the learning rate, the usual remedy for a loss that diverged. */
  resumeAtHalfRate() {
    return this.#request(this.#pause, async (run) => {
      await api.changeRun(run.id, { learning_rate: run.spec.learning_rate / 2 });
      return api.resume(run.id);
    });
  }

  /** Train a finished run for as many updates again. */
  continueTraining() {
    // Not by the button that pauses, which a finished run disables.
    return this.#request(find("#notice"), async (run) => {
      await api.changeRun(run.id, { max_updates: 2 * run.update });
      return api.resume(run.id);
    });
  }

  /** Make as many updates as the field beside the button says. */
  step() {
    // Letters leave it empty. A number that is too large is refused by the server.
    const updates = Number(this.#stepCount.value || 1);
    if (updates < 1 || !Number.isInteger(updates)) {
      this.#stepCount.reportValidity();
      return undefined;
    }
    this.#stepCount.value = String(updates);
    return this.#stepBy(updates);
  }

  /** Steps during another step are made together after it. */
  async #stepBy(updates) {
    const { runId } = this.#store.get();
    if (this.#pending.has(this.#step)) {
      const before = this.#nextStep?.runId === runId ? this.#nextStep.updates : 0;
      this.#nextStep = { runId, updates: Math.min(before + updates, LIMITS.step_updates) };
      return;
    }
    await this.#request(this.#step, async (run) => {
      try {
        return await api.step(run.id, updates);
      } catch (error) {
        this.#nextStep = null; // it would be refused too
        throw error;
      }
    });
    const next = this.#nextStep;
    this.#nextStep = null;
    if (next && next.runId === this.#store.get().runId) await this.#stepBy(next.updates);
  }

  #changePace(input) {
    const pace = Number(input.value) || input.value;
    this.#request(input, (run) => api.changeRun(run.id, { pace }));
  }

  #confirmStop() {
    const { run } = this.#store.get();
    if (!run) return;
    setText(find("#stop-run-name"), `“${run.name}”`);
    this.#stopping = true;
    this.#stopDialog.returnValue = "";
    this.#stopDialog.showModal();
  }

  /** Send a request, one at a time for each button, and show the answer or the refusal. */
  async #request(button, request) {
    const { run } = this.#store.get();
    if (!run || button.disabled || this.#pending.has(button)) return;
    this.#pending.add(button);
    button.setAttribute("aria-busy", "true");
    try {
      this.#store.dispatch({ type: "run", run: await request(run) });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(aboutRun(run, error.message));
      this.#show();
    } finally {
      this.#pending.delete(button);
      button.removeAttribute("aria-busy");
    }
  }

  #show() {
    const { run, runId, runs, operator } = this.#store.get();
    const isActive = ACTIVE.includes(run?.state);
    const paused = run?.state === "paused";
    const resumes = CAN_RESUME.includes(run?.state);
    setText(find(".button-word", this.#pause), resumes ? "Resume" : "Pause");
    find("use", this.#pause).setAttribute("href", resumes ? "#icon-play" : "#icon-pause");
    this.#pause.disabled = !isActive && !resumes;
    this.#step.disabled = !paused;
    this.#step.title = paused ? "" : "Only a paused run can be stepped";
    this.#stepCount.disabled = !paused;
    this.#stop.disabled = !isActive;
    this.#showPace(run?.spec.pace, isActive);
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (
      document.querySelectorAll("[data-operator-only]")
    )) {
      element.hidden = !operator;
    }
    find("#viewer-note").hidden = operator || !run;
    find("#controls").hidden = runId === null && runs?.length === 0;
  }

  #showPace(pace, isActive) {
    // A pace set by another client that is not among the choices gets one of its own. It stays as
    // long as the run is in view, so that choosing another pace moves nothing.
    const { runId } = this.#store.get();
    const isCustom = typeof pace === "number" && !STANDARD_PACES.includes(pace);
    if (isCustom) this.#custom = { runId, pace };
    const custom = this.#custom?.runId === runId ? this.#custom : null;
    this.#customPace.hidden = !custom;
    find("input", this.#customPace).value = custom ? String(custom.pace) : "";
    setText(find("span", this.#customPace), custom ? `${format.speed(custom.pace)}/s` : "");
    for (const input of this.#paces) {
      input.checked = input.value === String(pace);
      input.disabled = !isActive;
    }
  }
}
