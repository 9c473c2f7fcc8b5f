/** The list of all sweeps. */

import { el, find, rooted, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { bestConfiguration } from "./configurations.js";
import { goalLabel, goalText, parameterLabel, sweepState } from "./words.js";

/** @param {SweepsStore} store */
export function mountList(store) {
  const list = find("#sweep-list");
  /** @type {Map<string, ReturnType<typeof rowOf>>} */
  const rows = new Map(); // by id

  /** @param {string} id */
  function rowOf(id) {
    const dot = el("span", { class: "dot" });
    const href = rooted(`/sweeps?sweep=${encodeURIComponent(id)}`);
    const name = el("a", { class: "sweep-link", href });
    const about = el("span", { class: "hint" });
    const bar = el("progress", { class: "sweep-bar" });
    const progress = el("span", { class: "sweep-row-progress" });
    const best = el("b", {});
    const bestOf = el("span", { class: "hint" });
    const item = el(
      "li",
      { class: "sweep-row" },
      el("div", { class: "sweep-row-name" }, dot, name, about),
      el("div", { class: "sweep-row-runs" }, bar, progress),
      el("div", { class: "sweep-row-best" }, best, bestOf),
    );
    return { item, dot, name, about, bar, progress, best, bestOf };
  }

  /**
   * @param {ReturnType<typeof rowOf>} row
   * @param {Sweep} sweep
   */
  function show(row, sweep) {
    const { ended, planned } = sweep;
    const varied = Object.keys(sweep.spec.parameters).map(parameterLabel);
    row.dot.dataset.state = sweep.state;
    setText(row.name, sweep.name);
    setText(row.about, `${format.listWords(varied)}; ${format.dateAndTime(sweep.created_at)}`);
    row.bar.max = planned;
    row.bar.value = ended;
    row.bar.setAttribute("aria-label", `Runs of “${sweep.name}” that have ended`);
    const state = sweepState(sweep.state);
    setText(
      row.progress,
      `${state}, ${format.count(ended)} of ${format.plural(planned, "run", "runs")}`,
    );
    const goesOn = sweep.state === "running" || sweep.state === "paused";
    const best = goesOn ? bestConfiguration(sweep) : sweep.best;
    setText(row.best, best ? goalText(best.value) : format.NO_VALUE);
    setText(row.bestOf, `lowest ${goalLabel(sweep)}`);
  }

  store.watch(
    (state) => [state.sweeps, state.pendingDelete, state.unreachable],
    (sweeps, pendingDelete, unreachable) => {
      find("#sweep-unreachable").hidden = !unreachable;
      document.body.toggleAttribute("data-outdated", unreachable);
      if (!sweeps) return;
      const shown = sweeps.filter((/** @type {Sweep} */ { id }) => !pendingDelete.includes(id));
      find("#sweeps-empty").hidden = shown.length > 0;
      find("#sweeps").hidden = shown.length === 0;
      const items = shown.map((/** @type {Sweep} */ sweep) => {
        const row = rows.get(sweep.id) ?? rowOf(sweep.id);
        rows.set(sweep.id, row);
        show(row, sweep);
        return row.item;
      });
      setChildren(list, items);
    },
  );
}
