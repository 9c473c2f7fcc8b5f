/** Where else units fire: the places in the run's text where those of the selected stretch do. */

import * as api from "../../net/api.js";
import { el, find, radios, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { chosenUnit, mayChange } from "../state/reducers.js";
import { Refresher } from "../state/refresher.js";
import { signed, stretchWords, unitTitle, unitWords } from "./unit-words.js";

/** Units shown of those that are active. */
const MOST_UNITS = 40;

/** @param {InsideStore} store */
export function mountSpans(store) {
  const threshold = find("#spans-threshold");
  const edges = find("#spans-edges");
  const which = radios("spans-which");
  const chosenWhich = () => which.find(({ checked }) => checked)?.value;
  /** @type {{ found: UnitSpans, wanted: any } | null} */
  let last = null;

  const showThreshold = () => {
    setText(find("#spans-threshold-value"), signed(threshold.valueAsNumber));
    threshold.setAttribute("aria-valuetext", signed(threshold.valueAsNumber));
  };
  const set = (values) => store.dispatch({ type: "set", values });
  threshold.addEventListener("input", showThreshold);
  threshold.addEventListener("change", () => set({ threshold: threshold.valueAsNumber }));
  edges.addEventListener("change", () => set({ edges: edges.checked }));
  for (const input of which) {
    input.addEventListener("change", () => set({ onlyUnit: chosenWhich() === "one" }));
  }
  store.watch(
    (state) => [state.threshold, state.edges, state.onlyUnit],
    (value, checked, one) => {
      threshold.value = String(value);
      edges.checked = checked;
      for (const input of which) input.checked = (input.value === "one") === one;
      showThreshold();
    },
  );
  store.watch(
    (state) => [chosenUnit(state)?.layer, chosenUnit(state)?.unit, state.run?.spec.layers],
    () => {
      const state = store.get();
      const unit = chosenUnit(state);
      const words = unit ? unitWords(unit, state.run?.spec.layers ?? 1) : "the selected unit";
      setText(find("#spans-one"), `Only ${words}`);
    },
  );

  const again = find("#spans-again");
  again.addEventListener("click", () => set({ askedAt: store.get().run?.update ?? null }));
  const showAgain = () => {
    again.hidden = !mayChange(store.get());
    again.disabled = !last || last.found.model.update === store.get().run?.update;
  };

  const draw = () => {
    showAgain();
    const { stretch } = store.get();
    const results = find("#spans-results");
    results.hidden = !stretch || !last;
    find("#spans-hint").hidden = stretch !== null;
    if (!stretch) last = null;
    if (!last) return;
    const { found, wanted } = last;
    const layers = store.get().run?.spec.layers ?? 1;
    setText(find("#spans-about"), about(found, wanted, layers));
    const units = found.units.slice(0, MOST_UNITS).map((unit) => unitButton(store, found, unit));
    find("#spans-units").replaceChildren(...units);
    setText(find("#spans-searched"), searched(found));
    find("#spans-list").replaceChildren(...found.spans.map((span) => item(span, found)));
  };

  new Refresher(store, {
    live: false,
    wanted(state) {
      const { view, runId, text, source, stretch, probe, askedAt } = state;
      if (view !== "units" || !runId || text === null || !stretch || !probe) return null;
      const unit = chosenUnit(state);
      const { threshold: least, edges: only, onlyUnit } = state;
      const request = { text, ...stretch, threshold: least, edges: only, source };
      const layer = unit?.layer ?? probe.hidden.layer;
      const one = onlyUnit && unit ? { unit: unit.unit } : {};
      return { run: runId, request: { ...request, layer, ...one }, askedAt };
    },
    fetch: ({ run, request }, signal) => api.findSpans(run, request, signal),
    show: (found, wanted) => {
      last = { found, wanted };
      setText(find("#spans-problem"), "");
      draw();
    },
    refuse: (problem) => setText(find("#spans-problem"), problem.message),
  });
  store.watch((state) => [state.stretch, state.run?.spec], draw);
  store.watch((state) => [state.run?.update, state.run?.state, state.source], showAgain);
}

/**
 * Which units are active in the stretch, in a sentence.
 *
 * @param {UnitSpans} found
 * @param {any} wanted the request.
 * @param {number} layers
 */
function about({ units, layer }, { request }, layers) {
  const stretch = stretchWords([...request.text].slice(request.from, request.to));
  const beside = request.edges ? ", but not just before and after it" : "";
  const active = `active throughout ${stretch}${beside}.`;
  if (request.unit !== undefined) {
    const name = unitTitle({ layer, unit: request.unit }, layers);
    return `${name} is ${units.length ? "" : "not "}${active}`;
  }
  const some = units.length ? format.plural(units.length, "unit", "units") : "No unit";
  const ofLayer = layers > 1 ? ` of layer ${layer + 1}` : "";
  return `${some}${ofLayer} ${units.length > 1 ? "are" : "is"} ${active}`;
}

/** How much was searched, and what was found. */
function searched(/** @type {UnitSpans} */ { units, spans, searched: { from, to }, model }) {
  if (!units.length) return "A lower threshold, or a shorter stretch, gives more units.";
  const places = format.plural(spans.length, "place", "places");
  const order = units.length > 1 ? "those with most of the units" : "the longest";
  const how = spans.length ? `${places}, ${order} first,` : "No place";
  return (
    `${how} in characters ${format.count(from)} to ${format.count(to)} of the corpus, ` +
    `as the network read them at update ${format.count(model.update)}.`
  );
}

/** A button that selects one of the active units. */
function unitButton(store, { layer }, { unit, sign, activation }) {
  const text = `${unit}${sign > 0 ? "+" : "\u2212"}`;
  const label = `Unit ${unit}, activation ${signed(activation)}: select it`;
  const button = el("button", { type: "button", class: sign > 0 ? "" : "low", text });
  button.setAttribute("aria-label", label);
  button.title = `Unit ${unit}: ${signed(activation)}`;
  button.addEventListener("click", () =>
    store.dispatch({ type: "set", values: { unit: { layer, unit } } }),
  );
  return el("li", {}, button);
}

/** A place in the corpus. */
function item(/** @type {TextSpan} */ span, /** @type {UnitSpans} */ { units }) {
  const cut = span.to - span.from > [...span.text].length ? "…" : "";
  const share = span.units.length === units.length ? "all" : `${span.units.length} of`;
  const counted = units.length > 1 ? `${share} ${units.length} units, ` : "";
  // The colour is that of the activation, if there is a single one.
  const low = units.length === 1 && units[0].sign < 0;
  const length = format.plural(span.to - span.from, "character", "characters");
  return el(
    "li",
    {},
    el(
      "p",
      { class: "span-excerpt" },
      el("span", { class: "context", text: oneLine(fromWord(span)) }),
      el("mark", { class: low ? "low" : null, text: oneLine(span.text) + cut }),
      el("span", { class: "context", text: oneLine(toWord(span.after)) }),
    ),
    el("p", {
      class: "hint",
      text: `${counted}${length} from ${format.count(span.from)}`,
    }),
  );
}

/** The text before a span, from the beginning of a word. @param {TextSpan} span */
const fromWord = ({ before, from }) =>
  from > [...before].length ? before.replace(/^\S{0,15}\s/, "…") : before;

/** The text after a span, up to the end of a word. @param {string} after */
const toWord = (after) => after.replace(/\s\S{0,15}$/, "…");

/** A text with signs for its line ends. @param {string} text */
const oneLine = (text) =>
  format.isolateDirection(text.replace(/\n+/g, (ends) => `${"↵".repeat(ends.length)} `));
