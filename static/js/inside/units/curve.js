/** The curve of a unit: its correlation with a feature at each snapshot of the training. */

import * as api from "../../net/api.js";
import { find, setText, svg, textScaled } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { nearestPosition, positionsOf } from "../../ui/sparkline.js";
import { isLive } from "../state/reducers.js";
import { featureOf, signed, unitTitle } from "./unit-words.js";

const HEIGHT = 200;
const MARGIN = { left: 44, right: 12, top: 10, bottom: 34 };

/** @param {InsideStore} store */
export function mountUnitCurve(store) {
  const plot = find("#units-plot");
  /** @type {UnitHistory | null} */
  let history = null;
  let at = 0;
  let asked = 0;

  const load = async (
    /** @type {string} */ runId,
    /** @type {InsideState["unit"]} */ unit,
    /** @type {string | null} */ feature,
  ) => {
    const number = ++asked;
    const found = unit && (await api.nullOnProblem(api.getUnitHistory(runId, unit, feature)));
    // A newer request takes its place, and without an answer the last curve stays.
    if (number !== asked || (unit && !found)) return;
    history = found?.update.length ? found : null;
    at = atInView();
    draw();
  };

  /** The index of the snapshot that is nearest to the network in view. */
  const atInView = () => {
    const last = (history?.update.length ?? 1) - 1;
    const { unitList } = store.get();
    if (!history || !unitList || isLive(store.get())) return last;
    const distances = history.update.map((update) => Math.abs(update - unitList.model.update));
    return distances.indexOf(Math.min(...distances));
  };

  const draw = () => {
    const { unit, unitList } = store.get();
    const shown = history && isOf(history, unit) ? history : null;
    const inView = unit && unitList?.units[unit.layer * unitList.hidden_size + unit.unit];
    const limit = inView?.limit ?? shown?.limit ?? null;
    const feature = inView?.feature ?? shown?.feature;
    setText(find("#units-curve-title"), titleOf(unit, feature, unitList?.layers ?? 1));
    setText(find("#units-curve-about"), sentenceOf(unit, inView));
    plot.hidden = !shown;
    // Without a width while the view is not shown.
    if (!shown || !plot.clientWidth) {
      setText(find("#units-readout"), "");
      return;
    }
    const size = { width: plot.clientWidth, height: textScaled(HEIGHT) };
    plot.replaceChildren(drawing(shown, limit, at, size));
    plot.dataset.points = String(shown.update.length);
    const [update, r] = [shown.update[at], shown.correlation[at]];
    const text = `update ${format.count(update)}: r = ${signed(r)}`;
    plot.setAttribute("aria-valuemax", String(shown.update.length - 1));
    plot.setAttribute("aria-valuenow", String(at));
    plot.setAttribute("aria-valuetext", text);
    setText(find("#units-readout"), `At ${text}. ${sinceSentence(shown, limit)}`);
  };

  const move = (/** @type {number} */ to) => {
    if (!history) return;
    at = Math.min(Math.max(to, 0), history.update.length - 1);
    draw();
  };
  /** Look into the network at the point that is read out. */
  const open = () => {
    const update = history?.update[at];
    if (update !== undefined) store.dispatch({ type: "set", values: { source: { update } } });
  };
  plot.addEventListener("keydown", (event) => {
    if (!history || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Enter") open();
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: Infinity }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    move(to);
  });
  const moveTo = (/** @type {PointerEvent} */ event) => {
    if (!history) return;
    const left = textScaled(MARGIN.left);
    const width = plot.clientWidth - left - textScaled(MARGIN.right);
    const share = (event.clientX - plot.getBoundingClientRect().left - left) / width;
    move(nearestPosition(positionsOf(history.update, true), share));
  };
  plot.addEventListener("pointermove", moveTo);
  plot.addEventListener("click", (event) => {
    moveTo(event);
    open();
  });
  new ResizeObserver(() => draw()).observe(find(".units-curve"));

  store.watch(
    (state) => [state.unit, state.unitList],
    () => {
      at = atInView();
      draw();
    },
  );
  store.watch(
    (state) => [
      state.runId,
      state.unit,
      state.unit && featureOf(state, state.unit),
      state.unitList !== null,
      state.snapshots.at(-1),
    ],
    (runId, unit, feature, listed) => {
      if (listed || !unit) load(runId, unit, feature);
    },
  );
}

/** @type {(history: UnitHistory, unit: InsideState["unit"]) => boolean} */
const isOf = (history, unit) => history.layer === unit?.layer && history.unit === unit.unit;

function titleOf(unit, feature, /** @type {number} */ layers) {
  if (!unit) return "Select a unit";
  const name = unitTitle(unit, layers);
  return feature ? `${name}: ${feature}` : name;
}

/** What the figures of a unit mean. @param {FollowedFeature | null | undefined} found */
function sentenceOf(unit, found) {
  if (!unit) return "Its curve shows when it came to follow a feature.";
  if (!found) return "The network in view has no such unit, or is being read.";
  const { correlation: r, limit } = found;
  if (r === null || limit === null) {
    return (
      "In the network in view, this unit follows none of the features more than chance or an " +
      "untrained network would."
    );
  }
  const direction = r > 0 ? "up" : "down";
  return (
    `Its activation goes ${direction} with this feature: r = ${signed(r)}, on text that ` +
    "had no part in choosing it. Chance and untrained networks stay below " +
    `${signed(limit)}.`
  );
}

/** When the unit came to follow the feature, as far as the snapshots tell. */
function sinceSentence(/** @type {UnitHistory} */ { update, correlation }, limit) {
  const sign = Math.sign(correlation.at(-1) ?? 0);
  const below = correlation.findLastIndex((r) => limit === null || r * sign <= limit);
  if (below === update.length - 1) return "";
  return below < 0
    ? "It has followed the feature since the first snapshot."
    : `It has followed the feature since update ${format.count(update[below + 1])}.`;
}

/**
 * @param {UnitHistory} history
 * @param {number | null} limit
 * @param {number} at the point that is read out.
 * @param {{ width: number, height: number }} size in pixels.
 */
function drawing({ update, correlation }, limit, at, { width, height }) {
  const [left, top] = [textScaled(MARGIN.left), textScaled(MARGIN.top)];
  const [right, bottom] = [width - textScaled(MARGIN.right), height - textScaled(MARGIN.bottom)];
  const low = Math.floor(Math.min(0, ...correlation) * 4) / 4;
  const high = Math.ceil(Math.max(0, ...correlation) * 4) / 4;
  const positions = positionsOf(update, true);
  const x = (/** @type {number} */ i) => left + positions[i] * (right - left);
  const y = (/** @type {number} */ r) => bottom - ((r - low) / (high - low || 1)) * (bottom - top);
  const points = correlation.map((r, i) => `${i ? "L" : "M"}${x(i).toFixed(1)} ${y(r).toFixed(1)}`);
  const ticks = [-1, -0.5, 0, 0.5, 1].filter((r) => r >= low && r <= high);
  const band = limit && [Math.max(low, -limit), Math.min(high, limit)];
  return svg(
    "svg",
    { width, height, viewBox: `0 0 ${width} ${height}`, "aria-hidden": "true" },
    ...(band
      ? [
          svg("rect", {
            class: "units-chance",
            ...{ x: left, y: y(band[1]), width: right - left, height: y(band[0]) - y(band[1]) },
          }),
        ]
      : []),
    ...ticks.flatMap((r) => [
      svg("line", { class: "units-grid", x1: left, x2: right, y1: y(r), y2: y(r) }),
      label(signed(r), left - 8, y(r) + 4, "end"),
    ]),
    ...ticksOf(update).map(({ value, position }) =>
      label(
        shortUpdate(value),
        left + position * (right - left),
        bottom + textScaled(18),
        position > 0.95 ? "end" : position < 0.05 ? "start" : "middle",
      ),
    ),
    svg("path", { class: "units-line", d: points.join("") }),
    svg("line", { class: "units-cursor", x1: x(at), x2: x(at), y1: top, y2: bottom }),
    svg("circle", { class: "units-point", cx: x(at), cy: y(correlation[at]), r: 4 }),
  );
}

/** The first and the last update, and the powers of ten between, not too near to each other. */
function ticksOf(/** @type {number[]} */ updates) {
  const last = updates[updates.length - 1];
  const powers = Array.from({ length: 16 }, (_, i) => 10 ** i).filter((power) => 3 * power < last);
  const values = [updates[0], ...powers.filter((power) => power > updates[0]), last];
  const positions = positionsOf(values, true);
  return values.map((value, i) => ({ value, position: positions[i] }));
}

const shortUpdate = (/** @type {number} */ update) =>
  update >= 10_000 ? `${format.count(update / 1000)}k` : format.count(update);

function label(text, x, y, anchor) {
  const element = svg("text", { class: "units-label", x, y, "text-anchor": anchor });
  element.textContent = text;
  return element;
}
