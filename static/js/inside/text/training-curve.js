/** The probability of the selected character over the training, from the stored snapshots. */

import * as api from "../../net/api.js";
import { find, setText, svg } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { characterName } from "../../standalone/characters.js";
import { heightOf, nearestPosition, pathOf, positionsOf } from "../../ui/sparkline.js";
import { Refresher } from "../state/refresher.js";
import { lookedAt } from "../state/selection.js";

/** @typedef {{ update: number, p: number }} Point */

/** @param {InsideStore} store */
export function mountTrainingCurve(store) {
  const chart = find("#text-curve");
  const line = svg("path", { class: "curve-line" });
  const box = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, line);
  box.setAttribute("aria-hidden", "true");
  const dot = find("#text-curve-dot");
  chart.prepend(box);
  /** @type {Point[]} */
  let drawn = [];

  new Refresher(store, {
    wanted: curveRequest,
    live: false,
    fetch: ({ run, request }, signal) => api.probeHistory(run, request, signal),
    show: (answer, { request }) =>
      store.dispatch({ type: "set", values: { history: { ...request, ...answer } } }),
    refuse: (problem) => store.dispatch({ type: "set", values: { problem: problem.message } }),
  });

  chart.addEventListener("click", (/** @type {PointerEvent} */ event) => {
    if (!drawn.length) return;
    const { left, width } = box.getBoundingClientRect();
    const updates = drawn.map(({ update }) => update);
    const share = (event.clientX - left) / width;
    const update = updates[nearestPosition(positionsOf(updates, true), share)];
    store.dispatch({ type: "set", values: { source: { update } } });
  });

  store.watch(
    (state) => [state.history, state.probe, state.position],
    () => {
      const points = pointsOf(store.get());
      drawn = points;
      const updates = points.map(({ update }) => update);
      const positions = positionsOf(updates, true);
      const values = points.map(({ p }) => p);
      line.setAttribute("d", values.length > 1 ? pathOf(values, positions, 1) : "");
      const { probe } = store.get();
      const at = probe ? updates.indexOf(probe.model.update) : -1;
      dot.hidden = at < 0;
      if (at >= 0) {
        dot.style.setProperty("--x", String(positions[at]));
        dot.style.setProperty("--y", String(heightOf(values[at], 1) / 100));
      }
      const [first, last] = [updates[0], updates.at(-1)].map(format.count);
      setText(find("#text-curve-first"), updates.length ? `update ${first}` : "");
      setText(find("#text-curve-last"), updates.length > 1 ? last : "");
      setText(find("#text-curve-about"), sentence(points, store.get()));
    },
  );
}

/** @param {InsideState} state */
function curveRequest(state) {
  const { runId, text, probe, view, snapshots } = state;
  const index = selected(state);
  if (view !== "text" || !runId || text === null || index === null) return null;
  if (probe?.surprisal[index] === null || index >= [...text].length) return null;
  return { run: runId, request: { text, index }, snapshots: snapshots.length };
}

/** Of the selected character, not of each that the pointer passes. @param {InsideState} state */
const selected = (state) => lookedAt({ ...state, hovered: null });

/**
 * The curve of the selected character, with the network in view if it is newer than all snapshots.
 *
 * @param {InsideState} state
 * @returns {Point[]}
 */
function pointsOf(state) {
  const { history, probe, text } = state;
  const index = selected(state);
  if (!history || !probe || history.index !== index || history.text !== text) return [];
  const points = history.update.flatMap((update, i) => {
    const p = history.probability[i];
    return p === null ? [] : [{ update, p }];
  });
  const bits = probe.surprisal[index];
  const { update } = probe.model;
  if (bits === null || probe.characters.join("") !== text) return points;
  if (points.some((point) => point.update === update)) return points;
  return [...points, { update, p: 2 ** -bits }].toSorted((a, b) => a.update - b.update);
}

/** @param {Point[]} points @param {InsideState} state */
function sentence(points, state) {
  const index = selected(state);
  if (!state.probe || index === null) return "";
  const name = characterName(state.probe.characters[index]);
  if (state.probe.surprisal[index] === null) return `${name} was not predicted: it has no curve.`;
  const last = points.at(-1);
  if (!last) return "Reading the text with the snapshots.";
  const best = points.reduce((high, point) => (point.p > high.p ? point : high));
  return (
    `${name}: ${format.probability(points[0].p)} at update ${format.count(points[0].update)}, ` +
    `${format.probability(last.p)} at update ${format.count(last.update)}; ` +
    `highest, ${format.probability(best.p)}, at update ${format.count(best.update)}.`
  );
}
