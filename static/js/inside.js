/** The entry of the Inside page: socket -> store -> views; the probe follows the training. */

import * as api from "./net/api.js";
import { find, setText } from "./lib/dom.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { mountProbeText } from "./inside/probe-text.js";
import { mountRunPicker } from "./inside/run-picker.js";
import { mountSource } from "./inside/source.js";
import { mountTabs } from "./inside/tabs.js";
import { mountViews, readsText } from "./inside/views.js";
import { CurrentRun } from "./inside/state/current-run.js";
import { chosenUnit, initialState, PARAMETERS, reduce } from "./inside/state/reducers.js";
import { Refresher } from "./inside/state/refresher.js";
import { mountUrlState, stateFromUrl } from "./state/url-state.js";
import { linkBack } from "./ui/back-link.js";
import { isOutdated, showConnection } from "./ui/connection.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { storeView } from "./lecture/page-view.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";

const SALIENCY_CHARACTERS = 400;

const operator = document.body.dataset.operator === "true";
const store = createStore(reduce, initialState({ operator }));
const currentRun = new CurrentRun(store);
const { runId, source, text, position, unit, stretch, ...ofPage } = stateFromUrl(
  location.search,
  PARAMETERS,
);
store.dispatch({ type: "set", values: ofPage });

new Refresher(store, {
  wanted(state) {
    const { runId: run, text: read, source: model, temperature, tint, view } = state;
    const layer = chosenUnit(state)?.layer ?? null;
    if (!run || read === null || !readsText(state)) return null;
    const saliency = view === "text" && tint === "gradient";
    // In a long text, the gradients are those around the selected character.
    const index = saliency && [...read].length > SALIENCY_CHARACTERS ? state.position : null;
    const request = { text: read, source: model, temperature, saliency, index };
    return { run, request: { ...request, layer, units: false } };
  },
  fetch: ({ run, request }, signal) => api.probe(run, request, signal),
  show: (probe) => store.dispatch({ type: "probe", probe }),
  refuse: (problem) => store.dispatch({ type: "set", values: { problem: problem.message } }),
});

mountRunPicker(store, currentRun);
mountSource(store);
mountProbeText(store);
mountTabs(store);
mountViews(store);
mountThemeToggle();
mountLesson();
mountShortcuts({ t: toggleTheme, w: () => find("nav a").click() });

store.watch(
  (state) => [state.connection, state.runId],
  (connection, runId) => {
    find("#connection").hidden = runId === null;
    showConnection(connection, isOutdated(store.get()));
  },
);
store.watch(
  (state) => [state.runId],
  (runId) => linkBack(runId),
);
store.watch(
  (state) => [state.problem],
  (problem) => setText(find("#inside-problem"), problem ?? ""),
);

currentRun.start(
  runId,
  Object.fromEntries(
    Object.entries({ source, text, position, unit, stretch }).filter(
      ([, value]) => value !== undefined,
    ),
  ),
);
mountUrlState(store, PARAMETERS);
mountLecture(
  storeView(
    store,
    PARAMETERS,
    (search) => currentRun.follow(search),
    ({ runId }) => runId !== null,
  ),
);
