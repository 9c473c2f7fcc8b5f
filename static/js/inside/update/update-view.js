/** One update, slowly: the next update of the run, forward and back through time. */

import * as api from "../../net/api.js";
import { find, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { Refresher } from "../state/refresher.js";
import { UnrolledNetwork } from "./network.js";
import { Player } from "./player.js";
import { caption, changeOfLoss, positionAt, positionCount, positionLabel } from "./positions.js";
import { revealBars, showMethod, showParameters, showSteps } from "./tables.js";

/** @param {InsideStore} store */
export function mountUpdateView(store) {
  /** @type {{run: string, update: UnrolledUpdate} | null} */
  let shown = null;
  /** @type {UnrolledUpdate | null} the update before, which the run has made since. */
  let made = null;
  const player = new Player(store);
  const network = new UnrolledNetwork((step) => {
    const { update } = /** @type {any} */ (shown);
    const n = update.inputs.length;
    const back = store.get().updateStep > n + 1;
    store.dispatch({ type: "set", values: { updateStep: back ? 2 * n + 2 - step : step } });
  });

  new Refresher(store, {
    wanted({ view, runId, run }) {
      if (view !== "update" || !runId || !run) return null;
      const { state, update, spec } = run;
      if (state !== "running") return { run: runId, update, rate: spec.learning_rate };
      // It changes many times a second: one picture of it is enough.
      return shown?.run === runId ? null : { run: runId };
    },
    fetch: ({ run }, signal) => api.getUnrolled(run, signal),
    show: (update, { run }) => show(run, update),
    refuse: (problem) => setText(find("#update-problem"), problem.message),
  });

  /**
   * @param {string} run
   * @param {UnrolledUpdate} update
   */
  function show(run, update) {
    const isNew = shown !== null && (shown.run !== run || shown.update.update !== update.update);
    const follows = shown?.run === run && shown.update.update === update.update - 1;
    if (isNew) made = follows ? (shown?.update ?? null) : null;
    shown = { run, update };
    player.count = positionCount(update);
    network.show(update);
    showSteps(update);
    showParameters(update);
    setText(find("#update-problem"), "");
    find("#update").hidden = false;
    if (isNew) {
      player.pause();
      store.dispatch({ type: "set", values: { updateStep: 0 } });
    }
    draw();
  }

  function draw() {
    const { run, updateStep } = store.get();
    if (!shown || !run || shown.run !== run.id) {
      find("#update").hidden = true;
      return;
    }
    const { update } = shown;
    const index = Math.min(updateStep, positionCount(update) - 1);
    const position = positionAt(update, index);
    player.show(index, positionLabel(update, position), caption(update, position, run.spec));
    network.reveal(position);
    find("#update").dataset.phase = position.phase;
    showMethod(update, run.spec);
    const back = { start: Infinity, forward: Infinity, loss: Infinity, backward: position.step };
    revealBars(back[position.phase] ?? 0);
    const phase = position.phase === "start" ? "forward" : position.phase;
    for (const part of find("#update-explanations").children) {
      part.toggleAttribute("data-now", part.getAttribute("data-phase") === phase);
    }
    showHead();
  }

  function showHead() {
    const { run, operator } = store.get();
    if (!run) return;
    const { state, id } = run;
    const update = shown?.run === id ? shown.update : null;
    const title = update ? `Update ${format.count(update.update)}` : "The next update";
    setText(find("#update-title"), title);
    setText(find("#update-about"), update ? aboutUpdate(update, state, operator) : "");
    find("#update-pause").hidden = !operator || state !== "running";
    find("#update-make").hidden = !operator || state !== "paused";
    const was = update && made;
    const before = was && `Update ${format.count(was.update)} was made. `;
    setText(find("#update-result"), was ? before + changeOfLoss(was.total, true) : "");
  }

  /**
   * Send a command, and show the run as it then is.
   *
   * @param {HTMLElement} button
   * @param {(id: string) => Promise<Run>} command
   */
  async function send(button, command) {
    const { runId } = store.get();
    if (!runId || button.getAttribute("aria-busy")) return;
    button.setAttribute("aria-busy", "true");
    try {
      const run = await command(runId);
      if (store.get().runId === runId) store.dispatch({ type: "set", values: { run } });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(find("#update-problem"), error.message);
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  find("#update-pause").addEventListener("click", (/** @type {any} */ { currentTarget }) =>
    send(currentTarget, api.pause),
  );
  find("#update-make").addEventListener("click", (/** @type {any} */ { currentTarget }) => {
    player.pause();
    send(currentTarget, (id) => api.step(id, 1));
  });
  store.watch((state) => [state.updateStep, state.run?.id, state.run?.spec], draw);
  store.watch((state) => [state.run?.state, state.operator], showHead);
}

/**
 * @param {UnrolledUpdate} update
 * @param {string} state of the run
 * @param {boolean} operator
 */
function aboutUpdate({ position, sequence_length: T, streams, epoch }, state, operator) {
  const [from, to] = [position + 1, position + T].map(format.count);
  const text = streams > 1 ? `each of ${format.count(streams)} streams of the text` : "the text";
  const reads = `It reads characters ${from} to ${to} of ${text}, in epoch ${format.count(epoch)}.`;
  /** @type {Record<string, string>} */
  const about = {
    paused: operator ? "" : " The operator can make it.",
    running: " The run goes on: this was its next update when the page asked.",
  };
  return reads + (about[state] ?? ` The run is ${format.stateLabel(state)}.`);
}
