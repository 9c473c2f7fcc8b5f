/** The controls under the chart, and the goal for the loss. */

import { goalOf, LOSS_UNITS, metricInView, visibleGroups } from "./reducers.js";
import { find, radios, setText } from "../lib/dom.js";

/** @param {CompareStore} store */
export function mountCompareControls(store) {
  for (const name of /** @type {const} */ (["x", "y", "scale", "seeds"])) {
    const inputs = radios(`compare-${name}`);
    for (const input of inputs) {
      input.addEventListener("change", () => store.dispatch({ type: name, [name]: input.value }));
    }
    store.watch(
      (state) => [state[name]],
      (value) => inputs.forEach((input) => (input.checked = input.value === value)),
    );
  }

  const metric = find("#compare-metric");
  metric.addEventListener("change", () =>
    store.dispatch({ type: "metric", metric: metric.value || null }),
  );
  store.watch(
    (state) => [metricInView(state)],
    (shown) => {
      metric.value = shown?.name ?? "";
      for (const of of ["#compare-validation", "#compare-y"]) find(of).hidden = shown !== null;
    },
  );

  store.watch(
    (state) => [visibleGroups(state).length > 0],
    (shown) => (find("#compare-seeds").hidden = !shown),
  );

  const validation = find("#compare-validation");
  validation.addEventListener("click", () => {
    const shown = store.get().validation === "shown";
    store.dispatch({ type: "validation", validation: shown ? "hidden" : "shown" });
  });
  store.watch(
    (state) => [state.validation],
    (choice) => validation.setAttribute("aria-pressed", String(choice === "shown")),
  );

  const whole = find("#compare-show-all");
  whole.addEventListener("click", () => store.dispatch({ type: "zoom", range: null }));
  store.watch(
    ({ range }) => [range === null],
    (follows) => whole.setAttribute("aria-pressed", String(follows)),
  );

  const field = find("#compare-goal");
  const factor = () => (store.get().y === "bits" ? Math.LN2 : 1);
  field.addEventListener("change", () => {
    const goal = Number(field.value) * factor();
    store.dispatch({ type: "goal", goal: field.value && goal > 0 ? goal : null });
    show();
  });
  const show = () => {
    const goal = goalOf(store.get());
    field.value = goal === null ? "" : String(Number((goal / factor()).toFixed(4)));
    setText(
      find("#compare-goal-unit"),
      LOSS_UNITS[store.get().y === "bits" ? "bits" : "character"],
    );
  };
  store.watch((state) => [goalOf(state), state.y], show);
}
