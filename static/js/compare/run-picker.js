/** The list of all runs, from which the ones to compare are selected. */

import { LIMIT_CHOSEN, swatch } from "./series-styles.js";
import { isPageOutdated, visibleIds } from "./reducers.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { networkSummary } from "../lib/network-summary.js";

/** @param {CompareStore} store */
export function mountRunPicker(store) {
  const list = find("#compare-runs");
  /** @type {Map<string, ReturnType<typeof rowOf>>} */
  const rows = new Map(); // by id

  /** @param {string} id */
  function rowOf(id) {
    const input = el("input", {
      type: "checkbox",
      on: { change: () => store.dispatch({ type: "toggle", id }) },
    });
    const swatchHost = el("span", { class: "picker-swatch" });
    const dot = el("span", { class: "dot" });
    const name = el("span", { class: "run-name" });
    const about = el("span", { class: "run-about" });
    const label = el("label", { class: "picker-row" }, input, swatchHost, name, about, dot);
    const slot = /** @type {number | null} */ (null); // the style in view
    return { item: el("li", {}, label), input, swatchHost, name, about, dot, slot };
  }

  /**
   * @param {ReturnType<typeof rowOf>} row
   * @param {Run} run
   * @param {CompareState} state
   * @param {boolean} full whether no more runs can be selected.
   */
  function show(row, run, state, full) {
    const { slots, live } = state;
    const slot = slots[run.id] ?? null;
    const now = live[run.id]?.run ?? run;
    row.input.checked = slot !== null;
    row.input.disabled = full && slot === null;
    row.item.dataset.chosen = String(slot !== null);
    if (row.slot !== slot) {
      row.swatchHost.replaceChildren(...(slot === null ? [] : [swatch(slot)]));
      row.slot = slot;
    }
    setText(row.name, now.name);
    const known = format.knownState(now.state, isPageOutdated(state));
    const stateLine = `${known} at ${format.count(now.update)}`;
    setText(row.about, `${stateLine}; ${networkSummary(now.spec)}`);
    row.name.title = now.name;
    row.about.title = row.about.textContent;
    row.dot.dataset.state = now.state;
  }

  store.watch(
    (state) => [
      ...[state.runs, state.pendingDelete, state.chosen, state.dropped, isPageOutdated(state)],
      ...Object.values(state.live).map(({ run }) => `${run.name} ${run.state}`),
    ],
    () => {
      const state = store.get();
      const runs = state.runs ?? [];
      const count = visibleIds(state).length;
      const full = state.chosen.length >= LIMIT_CHOSEN;
      const items = runs.map((run) => {
        const row = rows.get(run.id) ?? rowOf(run.id);
        rows.set(run.id, row);
        show(row, run, state, full);
        return row.item;
      });
      const same = items.every((item, i) => list.children[i] === item);
      if (!same || list.children.length !== items.length) list.replaceChildren(...items);
      for (const id of rows.keys()) if (!runs.some((run) => run.id === id)) rows.delete(id);
      setText(find("#compare-dropped"), droppedSentence(state));
      setText(find("#compare-count"), state.runs ? countSentence(count, runs.length) : "");
    },
  );
}

/** The selected runs beyond the limit, by name. @param {CompareState} state */
function droppedSentence({ dropped, runs }) {
  const left = (runs ?? []).filter(({ id }) => dropped.includes(id));
  if (!left.length) return "";
  const names = left.map(({ name }) => `“${name}”`).join(", ");
  return `Not shown, since at most ${LIMIT_CHOSEN} runs fit: ${names}.`;
}

/**
 * @param {number} count
 * @param {number} all
 */
function countSentence(count, all) {
  if (!all) return "There are no runs yet.";
  const of = `${format.count(count)} of ${format.count(all)}`;
  return count >= LIMIT_CHOSEN ? `${of} selected, the maximum` : `${of} selected`;
}
