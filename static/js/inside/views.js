/**
 * The views of the page, in the order of the tabs.
 *
 * A view is a module with a function that is called once with the store. It needs one import and
 * one entry here, and in templates/inside.html one entry and a file in templates/inside/.
 * `readsText`: whether the view draws `state.probe`, which is kept current while it is shown.
 */

import { mountHealthView } from "./health/health-view.js";
import { mountMemoryView } from "./memory/memory-view.js";
import { mountTextView } from "./text/text-view.js";
import { mountUnitsView } from "./units/units-view.js";
import { mountUpdateView } from "./update/update-view.js";

/** @type {{ name: string, mount: (store: InsideStore) => void, readsText?: boolean }[]} */
const VIEWS = [
  { name: "text", mount: mountTextView, readsText: true },
  { name: "units", mount: mountUnitsView, readsText: true },
  { name: "memory", mount: mountMemoryView },
  { name: "health", mount: mountHealthView },
  { name: "update", mount: mountUpdateView },
];

/** Whether the view in front draws the probe. @param {InsideState} state */
export const readsText = ({ view }) =>
  VIEWS.some(({ name, readsText: reads }) => name === view && reads);

/** @param {InsideStore} store */
export function mountViews(store) {
  for (const { name, mount } of VIEWS) mount(whileShown(store, name));
}

/**
 * The store for one view, whose watchers are called only while the view is in front.
 *
 * @param {InsideStore} store
 * @param {string} name
 * @returns {InsideStore}
 */
const whileShown = (store, name) => ({
  ...store,
  watch: (select, show) =>
    store.watch(
      (state) => (state.view === name ? [true, ...select(state)] : [false]),
      (shown, ...values) => shown && show(...values),
    ),
});
