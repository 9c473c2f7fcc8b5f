/** The units view: what the units follow, their activations, and experiments with them. */

import * as api from "../../net/api.js";
import { Refresher } from "../state/refresher.js";
import { mountUnitCurve } from "./curve.js";
import { mountHold } from "./hold.js";
import { mountUnitList } from "./list.js";
import { mountHeatMap } from "./map-view.js";
import { mountSpans } from "./spans.js";
import { mountUnitText } from "./unit-text.js";

/** The server finds the features for the live network as often. */
const INTERVAL_MS = 5000;

/** @param {InsideStore} store */
export function mountUnitsView(store) {
  mountUnitList(store);
  mountUnitCurve(store);
  mountHeatMap(store);
  mountUnitText(store);
  mountSpans(store);
  mountHold(store);
  new Refresher(store, {
    wanted: ({ view, runId, source }) => (view === "units" && runId ? { runId, source } : null),
    fetch: ({ runId, source }, signal) => api.getUnits(runId, source, signal),
    show: (unitList) => store.dispatch({ type: "set", values: { unitList, problem: null } }),
    refuse: ({ message }) => store.dispatch({ type: "set", values: { problem: message } }),
    leastMs: INTERVAL_MS,
  });
}
