/** The entry of the page of sweeps: answers of the server -> store -> views. */

import * as api from "./net/api.js";
import { find, rooted } from "./lib/dom.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { Poller } from "./net/poller.js";
import { UndoDelete } from "./runs/undo-delete.js";
import { mountUrlState, stateFromUrl } from "./state/url-state.js";
import { mountBest } from "./sweeps/best-view.js";
import { mountHeader } from "./sweeps/header-view.js";
import { mountImportance } from "./sweeps/importance-view.js";
import { mountList } from "./sweeps/list-view.js";
import { ParallelView } from "./sweeps/parallel-view.js";
import { initialState, PARAMETERS, reduce } from "./sweeps/reducers.js";
import { ScatterView } from "./sweeps/scatter-view.js";
import { ConfigurationTable } from "./sweeps/table-view.js";
import { linkBack } from "./ui/back-link.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { storeView } from "./lecture/page-view.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";

const EVERY_MS = 1500;
const LIST_EVERY_MS = 5000;
const NOT_FOUND = 404;

const operator = document.body.dataset.operator === "true";
const store = createStore(reduce, initialState({ operator }));
store.dispatch({ type: "setView", view: stateFromUrl(location.search, PARAMETERS) });

/** Another client may resume a paused sweep. */
const isActive = (/** @type {Sweep} */ { state }) => state === "running" || state === "paused";

const { sweepId } = store.get();
const poller = new Poller(
  sweepId === null ? api.listSweeps : () => api.getSweep(sweepId),
  {
    answer(/** @type {any} */ found) {
      if (sweepId === null) store.dispatch({ type: "sweeps", sweeps: found });
      else store.dispatch({ type: "sweep", sweep: found });
      return sweepId === null || isActive(found);
    },
    problem({ status }) {
      store.dispatch({ type: status === NOT_FOUND ? "gone" : "unreachable" });
      return status !== NOT_FOUND;
    },
  },
  sweepId === null ? LIST_EVERY_MS : EVERY_MS,
);

const undoDelete = new UndoDelete(store, () => poller.now());

if (sweepId === null) {
  mountList(store);
} else {
  mountHeader(store, {
    changed(sweep) {
      store.dispatch({ type: "sweep", sweep });
      poller.now();
    },
    remove({ id, name }, sweep) {
      undoDelete.start({ id, run: "", sweep, name: `The sweep “${name}”` });
      location.assign(rooted(`/sweeps${location.hash}`));
    },
  });
  mountBest(store);
  new ConfigurationTable(store);
  new ParallelView(store);
  new ScatterView(store);
  mountImportance(store);
}

mountThemeToggle();
mountLesson();
linkBack();
mountShortcuts({
  f: () => store.dispatch({ type: "showAll" }),
  t: toggleTheme,
  w: () => find("nav a").click(),
  z: () => undoDelete.undo(),
});
mountUrlState(store, PARAMETERS);
mountLecture(storeView(store, PARAMETERS, null));
poller.now();
