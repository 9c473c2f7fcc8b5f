/** A passage with and without a unit held at a value, side by side. */

import * as api from "../../net/api.js";
import { el, find, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { chosenUnit, mayChange } from "../state/reducers.js";
import { Refresher } from "../state/refresher.js";
import { signed, unitTitle } from "./unit-words.js";

const LENGTH = 300;
const SEEDS = 1_000_000;

/** @param {InsideStore} store */
export function mountHold(store) {
  const value = find("#hold-value");
  const set = (values) => store.dispatch({ type: "set", values });
  const temperature = find("#hold-temperature");
  const again = find("#hold-again");
  /** @type {Intervention | null} */
  let last = null;
  // Passages that are out of view are not requested: most users only look for a unit.
  new IntersectionObserver((entries) => {
    set({ holding: entries.some(({ isIntersecting }) => isIntersecting) });
  }).observe(find("#hold-texts"));

  const showFigures = () => {
    setText(find("#hold-value-text"), signed(value.valueAsNumber));
    value.setAttribute("aria-valuetext", signed(value.valueAsNumber));
    setText(find("#hold-temperature-text"), signed(temperature.valueAsNumber));
  };
  // Only the final value is sent: each one costs two passages.
  for (const slider of [value, temperature]) slider.addEventListener("input", showFigures);
  value.addEventListener("change", () => set({ held: value.valueAsNumber }));
  temperature.addEventListener("change", () => set({ temperature: temperature.valueAsNumber }));
  again.addEventListener("click", () => set({ askedAt: store.get().run?.update ?? null }));
  const renew = () => set({ seed: Math.floor(Math.random() * SEEDS) });
  find("#hold-seed").addEventListener("click", renew);

  store.watch(
    (state) => [state.held, state.temperature, state.seed],
    (held, chosen, seed) => {
      value.value = String(held);
      temperature.value = String(chosen);
      showFigures();
      setText(find("#hold-seed-value"), String(seed));
    },
  );
  const showAgain = () => {
    again.hidden = !mayChange(store.get());
    again.disabled = last?.model.update === store.get().run?.update;
  };
  store.watch((state) => [state.run?.update, state.run?.state, state.source], showAgain);
  store.watch(
    (state) => [chosenUnit(state)?.layer, chosenUnit(state)?.unit, state.run?.spec.layers],
    () => {
      const state = store.get();
      const unit = chosenUnit(state);
      const name = unit ? unitTitle(unit, state.run?.spec.layers ?? 1) : "A unit";
      setText(find("#hold-with-title"), `${name} held`);
      find("#hold").hidden = !unit;
      find("#hold-hint").hidden = unit !== null;
    },
  );

  new Refresher(store, {
    live: false,
    wanted(state) {
      const { runId, text, source, held, seed, askedAt } = state;
      const unit = chosenUnit(state);
      if (!state.holding || !runId || text === null || !unit) return null;
      const request = { source, ...unit, value: held, length: LENGTH, seed, prime: text };
      return { run: runId, request: { ...request, temperature: state.temperature }, askedAt };
    },
    fetch: ({ run, request }, signal) => api.intervene(run, request, signal),
    show: (found) => {
      last = found;
      setText(find("#hold-problem"), "");
      showAgain();
      show(found, store.get().run?.spec.layers ?? 1);
    },
    refuse: (problem) => setText(find("#hold-problem"), problem.message),
  });
}

/** Show both texts. @param {Intervention} found @param {number} layers */
function show(found, layers) {
  const { without, with: held, first_difference: at, value, model } = found;
  find("#hold-without").replaceChildren(...parted(without, at));
  find("#hold-with").replaceChildren(...parted(held, at));
  const title = `${unitTitle(found, layers)} held at ${signed(value)}`;
  setText(find("#hold-with-title"), title);
  const same = at === null ? "The texts are equal" : sameWords(at);
  setText(find("#hold-about"), `${same}, at update ${format.count(model.update)}.`);
}

/** @param {number} at the first character that differs. */
function sameWords(at) {
  if (!at) return "The texts differ from the first character on";
  return at === 1
    ? "The first character is equal"
    : `The first ${format.count(at)} characters are equal`;
}

/** A text with a mark where it begins to differ. */
function parted(/** @type {string} */ text, /** @type {number | null} */ at) {
  const characters = [...text];
  if (at === null) return [text];
  return [
    el("span", { class: "context", text: characters.slice(0, at).join("") }),
    el("span", { class: "parting", "aria-hidden": "true" }),
    characters.slice(at).join(""),
  ];
}
