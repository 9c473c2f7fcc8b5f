/** The list of units and of the features that they follow. */

import { el, find, setChildren, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { rowsOf, sortedBy, unitName } from "./unit-rows.js";
import { signed } from "./unit-words.js";

/** A network may have thousands of units. */
const MOST_ROWS = 300;

/** @typedef {{ row: any, button: any, feature: any, correlation: any }} UnitRow its elements. */

/** @param {InsideStore} store */
export function mountUnitList(store) {
  const body = find("#units-rows");
  const search = find("#units-search");
  const layer = find("#units-layer");
  const columns = [...find("#units-columns").children];
  /** @type {import("./unit-rows.js").UnitSort} */
  let sort = { by: "correlation", descending: true };
  /** @type {Map<string, UnitRow>} by layer and unit. */
  const rows = new Map();

  const show = () => {
    const { unitList } = store.get();
    find("#units-table").hidden = !unitList;
    if (!unitList) {
      setText(find("#units-about"), "The network reads the text.");
      return;
    }
    showLayers(layer, unitList.layers);
    const fitting = rowsOf(unitList.units, {
      text: search.value,
      layer: layer.value === "" ? null : Number(layer.value),
      sort,
    });
    const shown = fitting.slice(0, MOST_ROWS);
    setChildren(body, shown.map((unit) => showRow(unit, unitList.layers)));
    const rest = format.plural(fitting.length - shown.length, "more unit", "more units");
    const more = fitting.length ? `${rest}: search to find one.` : "No unit of this list fits.";
    setText(find("#units-more"), fitting.length && fitting.length === shown.length ? "" : more);
    setText(find("#units-about"), summary(unitList));
    for (const column of columns) {
      const direction = sort.descending ? "descending" : "ascending";
      if (column.dataset.column === sort.by) column.setAttribute("aria-sort", direction);
      else column.removeAttribute("aria-sort");
    }
    showSelected();
  };

  /** The row of a unit, with its figures. */
  const showRow = (/** @type {FollowedFeature} */ unit, /** @type {number} */ layers) => {
    const key = keyOf(unit);
    const { row, button, feature, correlation } = rows.get(key) ?? newRow(unit);
    setText(button, unitName(unit, layers));
    button.setAttribute("aria-label", unit.label);
    setText(feature, unit.feature ?? "no feature");
    feature.classList.toggle("units-none", !unit.confirmed);
    const r = unit.correlation;
    setText(correlation, r === null ? format.NO_VALUE : signed(r));
    return row;
  };

  const newRow = (/** @type {FollowedFeature} */ { layer, unit }) => {
    const select = () => store.dispatch({ type: "set", values: { unit: { layer, unit } } });
    const key = keyOf({ layer, unit });
    const button = el("button", { type: "button", "data-unit": key, on: { click: select } });
    const feature = el("td");
    const correlation = el("td", { class: "figure-column" });
    const row = el("tr", {}, el("th", { scope: "row" }, button), feature, correlation);
    const made = { row, button, feature, correlation };
    rows.set(key, made);
    return made;
  };

  const showSelected = () => {
    const { unit } = store.get();
    const buttons = [...body.querySelectorAll("button")];
    const selected = unit && buttons.find((button) => button.dataset.unit === keyOf(unit));
    for (const button of buttons) {
      const chosen = button === selected;
      button.closest("tr").toggleAttribute("data-selected", chosen);
      if (chosen) button.setAttribute("aria-current", "true");
      else button.removeAttribute("aria-current");
      // One of them can be reached with the Tab key, and the others from it with the arrow keys.
      button.tabIndex = button === (selected ?? buttons[0]) ? 0 : -1;
    }
  };

  find("#units-columns").addEventListener("click", (event) => {
    const by = event.target.closest("th")?.dataset.column;
    if (!by) return;
    sort = sortedBy(sort, by);
    show();
  });
  search.addEventListener("input", show);
  layer.addEventListener("change", show);
  body.addEventListener("click", (event) => {
    if (event.target.closest("button")) return;
    event.target.closest("tr")?.querySelector("button").click();
  });
  body.addEventListener("keydown", (event) => {
    const buttons = [...body.querySelectorAll("button")];
    const at = buttons.indexOf(event.target);
    const steps = { ArrowUp: at - 1, ArrowDown: at + 1, Home: 0, End: buttons.length - 1 };
    const to = buttons[steps[event.key]];
    if (!to || at < 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    to.focus();
    to.click();
  });

  store.watch(
    (state) => [state.unitList],
    (list) => {
      if (!list) rows.clear();
      show();
      const best = rowsOf(list?.units ?? [], { text: "", layer: null, sort })[0];
      // The curve of the first unit of the list, unless another one was chosen.
      if (best?.confirmed && !store.get().unit) {
        const unit = { layer: best.layer, unit: best.unit };
        store.dispatch({ type: "set", values: { unit } });
      }
    },
  );
  store.watch((state) => [state.unit], showSelected);
}

const keyOf = ({ layer, unit }) => `${layer}-${unit}`;

/** Offer the layers of a network that has several. */
function showLayers(select, /** @type {number} */ layers) {
  select.hidden = layers < 2;
  if (select.options.length === layers + 1) return;
  const numbered = Array.from({ length: layers }, (_, i) =>
    el("option", { value: i, text: `Layer ${i + 1}` }),
  );
  select.replaceChildren(el("option", { value: "", text: "All layers" }), ...numbered);
}

/** @param {UnitList} list */
function summary({ units, features, characters, model }) {
  const known = units.filter(({ confirmed }) => confirmed).length;
  const follow = known === 1 ? "units follows a feature" : "units follow a feature";
  const of = `${format.count(known)} of ${format.count(units.length)}`;
  return (
    `At update ${format.count(model.update)}, ${of} ${follow} of the text. ` +
    `Compared: ${format.plural(features, "feature", "features")} on two stretches of ` +
    `${format.count(characters)} characters.`
  );
}
