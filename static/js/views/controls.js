/** What one can do with the run in view: pause, step, pace, stop. */

import * as api from "../api.js";
import { find, setText } from "../dom.js";
import * as format from "../format.js";
import { toast } from "./toasts.js";

const CAN_RESUME = ["paused", "interrupted"];
const STANDARD_PACES = [1, 10, 100];
const ALIVE = ["running", "paused", "queued", "interrupted"];

/**
 * @param {Object} store
 * @returns {{togglePause: () => void, step: () => void, resume: () => void}}
 */
export function mountControls(store) {
  const pauseButton = find("#pause");
  const stepButton = find("#step");
  const stepCount = find("#step-count");
  const stopButton = find("#stop");
  const stopDialog = find("#stop-dialog");
  const ownPace = find("#pace-own");
  const paces = [...document.querySelectorAll("input[name=pace]")];
  const pending = new Set();

  /** Ask the server, once at a time for each button, and show its answer or its refusal. */
  async function ask(button, request) {
    const { run } = store.get();
    if (!run || button.disabled || pending.has(button)) return;
    pending.add(button);
    button.setAttribute("aria-busy", "true");
    try {
      store.dispatch({ type: "run", run: await request(run) });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
      show();
    } finally {
      pending.delete(button);
      button.removeAttribute("aria-busy");
    }
  }

  const togglePause = () =>
    ask(pauseButton, (run) =>
      CAN_RESUME.includes(run.state) ? api.resume(run.id) : api.pause(run.id),
    );
  const step = () =>
    ask(stepButton, (run) => {
      const updates = Math.max(1, Math.floor(Number(stepCount.value) || 1));
      stepCount.value = String(updates);
      return api.step(run.id, updates);
    });

  pauseButton.addEventListener("click", togglePause);
  stepButton.addEventListener("click", step);
  stepCount.addEventListener("keydown", (event) => {
    if (event.key === "Enter") step();
  });
  for (const input of paces) {
    input.addEventListener("change", () => {
      const pace = Number(input.value) || input.value;
      ask(input, (run) => api.changeRun(run.id, { pace }));
    });
  }
  stopButton.addEventListener("click", () => {
    const { run } = store.get();
    if (!run) return;
    setText(find("#stop-what"), `“${run.name}”`);
    stopDialog.returnValue = "";
    stopDialog.showModal();
  });
  stopDialog.addEventListener("close", () => {
    if (stopDialog.returnValue === "stop") ask(stopButton, (run) => api.stop(run.id));
  });

  /** A pace that the switch has not got, set by another client, gets a place while it holds. */
  function showOwnPace(pace) {
    const offered = typeof pace !== "number" || STANDARD_PACES.includes(pace);
    ownPace.hidden = offered;
    if (offered) return;
    find("input", ownPace).value = String(pace);
    setText(find("span", ownPace), `${format.speed(pace)}/s`);
  }

  function show() {
    const { run, runId, runs, operator } = store.get();
    const state = run?.state;
    const resumes = CAN_RESUME.includes(state);
    pauseButton.disabled = !ALIVE.includes(state);
    setText(find(".button-word", pauseButton), resumes ? "Resume" : "Pause");
    find("use", pauseButton).setAttribute("href", resumes ? "#icon-play" : "#icon-pause");
    stepButton.disabled = state !== "paused";
    stepCount.disabled = state !== "paused";
    stepButton.title = state === "paused" ? "" : "A paused run can be stepped";
    stopButton.disabled = !ALIVE.includes(state);
    showOwnPace(run?.spec.pace);
    for (const input of paces) {
      input.checked = run ? String(run.spec.pace) === input.value : false;
      input.disabled = !ALIVE.includes(state);
    }
    for (const element of document.querySelectorAll("[data-operator-only]")) {
      element.hidden = !operator;
    }
    find("#viewer-note").hidden = operator || !run;
    find("#controls").hidden = runId === null && runs?.length === 0;
  }

  store.watch(
    (state) => [state.run?.state, state.run?.spec.pace, state.runId, state.runs?.length],
    show,
  );

  return { togglePause, step, resume: togglePause };
}
