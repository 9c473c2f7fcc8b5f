/** The head of a sweep: its state and progress, and the buttons that pause and end it. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { toast } from "../ui/toasts.js";
import { savedShare } from "./configurations.js";
import { goalLabel, parameterLabel, rangeText, sweepState } from "./words.js";

/** @type {Record<string, string>} */
const SAMPLERS = {
  grid: "Every combination of",
  random: "Random values of",
  tpe: "Values chosen by TPE for",
};

/**
 * @param {SweepsStore} store
 * @param {Object} on
 * @param {(sweep: Sweep) => void} on.changed called with the answer to an action.
 * @param {(sweep: Sweep, what: "alone" | "with runs") => void} on.remove
 */
export function mountHeader(store, { changed, remove }) {
  const sweep = () => /** @type {Sweep} */ (store.get().sweep);
  const showButtons = store.get().operator ? mountButtons(sweep, { changed, remove }) : () => {};
  /** @type {string | null} */
  let announced = null; // the state

  store.watch(
    (state) => [state.sweep, state.gone, state.unreachable],
    (shown, gone, unreachable) => {
      find("#sweep-gone").hidden = !gone;
      find("#sweep").hidden = gone || !shown;
      document.body.toggleAttribute("data-outdated", unreachable);
      find("#sweep-unreachable").hidden = !unreachable;
      if (shown && !gone) show(shown);
    },
  );

  /** @param {Sweep} shown */
  function show(shown) {
    document.title = `${shown.name} - Hurrah`;
    setText(find("#sweep-name"), shown.name);
    find("#sweep-dot").dataset.state = shown.state;
    setText(find("#sweep-state"), sweepState(shown.state));
    setText(find("#sweep-about"), aboutText(shown));
    const { ended, planned, stopped_early: early } = shown;
    const bar = find("#sweep-bar");
    bar.max = Math.max(planned, 1);
    bar.value = ended;
    setText(
      find("#sweep-progress"),
      `${format.count(ended)} of ${format.plural(planned, "run has", "runs have")} ended`,
    );
    setText(find("#sweep-early"), early ? earlyText(early, savedShare(shown)) : "");
    setText(find("#sweep-error"), shown.error ?? "");
    showButtons();
    if (announced !== null && announced !== shown.state) {
      setText(find("#live-region"), `The sweep is ${sweepState(shown.state)}.`);
    }
    announced = shown.state;
  }
}

/**
 * The buttons for operators.
 *
 * @param {() => Sweep} sweep
 * @param {Object} on
 * @param {(sweep: Sweep) => void} on.changed
 * @param {(sweep: Sweep, what: "alone" | "with runs") => void} on.remove
 * @returns {() => void} a function that shows the buttons for the sweep as it is.
 */
function mountButtons(sweep, { changed, remove }) {
  const pause = find("#sweep-pause");
  const stop = find("#sweep-stop");
  const stopDialog = find("#stop-sweep-dialog");
  const deleteDialog = find("#delete-sweep-dialog");

  /** @param {(id: string) => Promise<Sweep>} action */
  async function act(action) {
    pause.disabled = stop.disabled = true;
    try {
      changed(await action(sweep().id));
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    } finally {
      show();
    }
  }

  pause.addEventListener("click", () =>
    act(sweep().state === "paused" ? api.resumeSweep : api.pauseSweep),
  );
  stop.addEventListener("click", () => stopDialog.showModal());
  stopDialog.addEventListener("close", () => {
    if (stopDialog.returnValue === "stop") act(api.stopSweep);
    stopDialog.returnValue = "";
  });
  find("#sweep-delete").addEventListener("click", () => {
    const { started } = sweep();
    setText(find("#delete-sweep-runs"), `Delete its ${format.plural(started, "run", "runs")} too`);
    deleteDialog.showModal();
  });
  deleteDialog.addEventListener("close", () => {
    const { checked } = find("input", deleteDialog);
    if (deleteDialog.returnValue) remove(sweep(), checked ? "with runs" : "alone");
    deleteDialog.returnValue = "";
  });

  function show() {
    const { state } = sweep();
    const ended = state === "finished" || state === "stopped";
    pause.hidden = stop.hidden = ended;
    pause.disabled = stop.disabled = false;
    const paused = state === "paused";
    setText(find("span", pause), paused ? "Resume" : "Pause");
    find("use", pause).setAttribute("href", paused ? "#icon-play" : "#icon-pause");
  }

  return show;
}

/**
 * "Every combination of learning rate (0.01, 0.1) and hidden size (50, 100)".
 *
 * @param {Sweep} sweep
 */
function aboutText(sweep) {
  const { parameters, sampler, seeds } = sweep.spec;
  const ranges = Object.entries(parameters).map(
    ([name, range]) => `${parameterLabel(name)} (${rangeText(name, range)})`,
  );
  const each = seeds > 1 ? `, ${format.count(seeds)} seeds each` : "";
  const goal = `goal: lowest ${goalLabel(sweep)}`;
  return `${SAMPLERS[sampler] ?? sampler} ${format.listWords(ranges)}${each}; ${goal}`;
}

/**
 * @param {number} early
 * @param {number | null} saved
 */
function earlyText(early, saved) {
  const runs = format.plural(early, "run", "runs");
  return `${runs} stopped early, which saved ${format.share(saved)} of the updates`;
}
