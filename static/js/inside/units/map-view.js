/** The heat map of the units of a layer, and the choice of its order and size. */

import { el, find, radios, setText } from "../../lib/dom.js";
import { onTheme } from "../../lib/theme.js";
import { chosenUnit } from "../state/reducers.js";
import { activationAt, activationsOf } from "./activations.js";
import { HeatMap } from "./heat-map.js";
import { orderByFeature, orderBySimilarity } from "./unit-order.js";
import { characterWords, featureOf, signed, unitTitle } from "./unit-words.js";

const HINT = "Point at a cell to read it. Click a row to select its unit.";

/** @param {InsideStore} store */
export function mountHeatMap(store) {
  const scroller = find("#unit-map");
  const map = new HeatMap(scroller, find("#unit-map-area"), find("#unit-map-canvas"));
  const by = find("#unit-map-order");
  const sizes = radios("unit-map-size");
  /** @type {number[]} the unit of each row. */
  let order = [];
  let orderOf = "";
  /** @type {UnitList | null} */
  let orderedList = null;
  /** @type {import("./heat-map.js").Cell | null} */
  let cursor = null;
  let lastRevealed = "";

  const draw = () => {
    const state = store.get();
    const { probe, position, stretch, unitList } = state;
    scroller.hidden = !probe;
    if (!probe) return;
    const activations = activationsOf(probe);
    sort(state, activations);
    const layers = state.run?.spec.layers ?? 1;
    const { layer, m } = activations;
    const selected = chosenUnit(state);
    map.show({
      ...{ activations, order, position, stretch },
      characters: probe.characters,
      labelOf: (unit) => ({
        name: String(unit),
        feature: featureOf(state, { layer, unit }) ?? (unitList ? "no feature" : ""),
      }),
      selected: selected?.layer === layer ? selected.unit : null,
      size: sizes.find(({ checked }) => checked)?.value === "overview" ? "overview" : "detail",
    });
    // Until the probe of another layer arrives, the map shows the layer before.
    showLayers(find("#unit-map-layer"), layers, selected?.layer ?? layer);
    const ofLayer = layers > 1 ? ` of layer ${layer + 1}` : "";
    scroller.setAttribute(
      "aria-label",
      `Heat map of ${m} units${ofLayer} by ${probe.characters.length} characters. ` +
        "Arrow keys move from cell to cell, Enter selects the unit.",
    );
    if (cursor) point(clamped(cursor));
    // Another unit may have been selected in the list. Otherwise the user's scrolling stays.
    const row = selected?.layer === layer ? order.indexOf(selected.unit) : -1;
    const revealed = row < 0 ? "" : `${layer}-${selected?.unit} ${orderOf}`;
    if (revealed && revealed !== lastRevealed) map.revealRow(row);
    lastRevealed = revealed;
  };

  /** Sort the rows anew only if what the order depends on has changed: rows must not jump. */
  const sort = (state, activations) => {
    const { runId, source, text, unitList } = state;
    const { layer, m } = activations;
    const list = by.value === "feature" && unitList?.hidden_size === m ? unitList : null;
    const depends = by.value === "similarity" ? [source, text] : [];
    const key = JSON.stringify([by.value, runId, layer, m, list !== null, ...depends]);
    if (key === orderOf && list === orderedList) return;
    [orderOf, orderedList] = [key, list];
    if (list) order = orderByFeature(list.units.filter((unit) => unit.layer === layer));
    else if (by.value === "similarity") order = orderBySimilarity(activations);
    else order = Array.from({ length: m }, (_, unit) => unit);
  };

  const clamped = ({ row, character }) => ({
    row: Math.min(Math.max(row, 0), order.length - 1),
    character: Math.min(Math.max(character, 0), (store.get().probe?.characters.length ?? 1) - 1),
  });

  /** Mark a cell and say what it is; null: none. */
  const point = (/** @type {import("./heat-map.js").Cell | null} */ cell) => {
    cursor = cell;
    map.mark(cell);
    setText(find("#unit-map-readout"), cell ? sentence(cell) : HINT);
  };

  const sentence = ({ row, character }) => {
    const state = store.get();
    if (!state.probe) return "";
    const activations = activationsOf(state.probe);
    const unit = { layer: activations.layer, unit: order[row] };
    const feature = featureOf(state, unit);
    const value = activationAt(activations, character, unit.unit);
    const after = characterWords(state.probe.characters[character]);
    const follows = feature ? ` (${feature})` : "";
    const name = unitTitle(unit, state.run?.spec.layers ?? 1);
    return `${name}${follows}, after ${after}: ${signed(value)}`;
  };

  const select = (row, character) => {
    const { probe } = store.get();
    if (!probe) return;
    const unit = { layer: activationsOf(probe).layer, unit: order[row] };
    const position = character ?? store.get().position;
    store.dispatch({ type: "set", values: { unit, position } });
  };

  scroller.addEventListener("pointermove", (event) => {
    const cell = map.cellAt(event);
    point(cell && cell.character !== null ? cell : null);
    scroller.toggleAttribute("data-pointing", cell !== null);
  });
  scroller.addEventListener("pointerleave", () => point(null));
  scroller.addEventListener("click", (event) => {
    const cell = map.cellAt(event);
    if (cell) select(cell.row, cell.character);
  });
  scroller.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !order.length) return;
    const state = store.get();
    const chosen = chosenUnit(state);
    const at = cursor ?? {
      row: Math.max(0, chosen ? order.indexOf(chosen.unit) : 0),
      character: state.position ?? 0,
    };
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      select(at.row, at.character);
      return;
    }
    const page = map.rowsInView - 1;
    const steps = {
      ...{ ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] },
      ...{ PageUp: [-page, 0], PageDown: [page, 0], Home: [0, -Infinity], End: [0, Infinity] },
    };
    const step = steps[event.key];
    if (!step) return;
    event.preventDefault();
    const to = clamped({ row: at.row + step[0], character: at.character + step[1] });
    map.reveal(to);
    point(to);
    // The readout changes with the training too, so it is not a live region itself.
    setText(find("#unit-map-live"), sentence(to));
  });
  scroller.addEventListener("blur", () => point(null));

  by.addEventListener("change", draw);
  for (const input of sizes) input.addEventListener("change", draw);
  find("#unit-map-layer").addEventListener("change", (event) => {
    const unit = { layer: Number(event.target.value), unit: 0 };
    store.dispatch({ type: "set", values: { unit } });
  });
  onTheme(draw);
  store.watch(
    (state) => [state.probe, state.unitList, state.unit, state.position, state.stretch],
    draw,
  );
  // The first choice is the unit that follows a feature most, so that the page shows something.
  store.watch(
    (state) => [state.unitList, state.unit],
    (list, unit) => {
      if (!list || unit) return;
      const strength = ({ correlation }) => Math.abs(correlation ?? 0);
      const best = list.units.reduce((a, b) => (strength(b) > strength(a) ? b : a));
      store.dispatch({ type: "set", values: { unit: { layer: best.layer, unit: best.unit } } });
    },
  );
  point(null);
}

/** Offer the layers of a network that has several. */
function showLayers(select, /** @type {number} */ layers, /** @type {number} */ layer) {
  select.hidden = layers < 2;
  if (select.options.length !== layers) {
    const options = Array.from({ length: layers }, (_, i) =>
      el("option", { value: i, text: `Layer ${i + 1}` }),
    );
    select.replaceChildren(...options);
  }
  select.value = String(layer);
}
