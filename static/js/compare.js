/** The page that compares runs: sockets -> store -> views, and the reader's deeds to the server. */

import { mountAddress, readAddress } from "./state/url-state.js";
import * as api from "./net/api.js";
import { isReached } from "./compare/columns.js";
import { suggestedGoal } from "./compare/lines.js";
import { LIMIT_CHOSEN } from "./compare/series-styles.js";
import {
  firstChoice,
  goalOf,
  initialState,
  PARAMETERS,
  reduce,
  visible,
  visibleIds,
} from "./compare/reducers.js";
import { fetchDetails } from "./compare/detail-loader.js";
import { refineStart } from "./curve/detail-loader.js";
import { loadPlotly } from "./lib/plotly-loader.js";
import { LiveSocket } from "./net/live-socket.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { mountAnnouncer } from "./compare/live-region.js";
import { CompareChart } from "./compare/chart-view.js";
import { mountConnection } from "./compare/connection.js";
import { mountPicker } from "./compare/run-picker.js";
import { mountSwitches } from "./compare/controls.js";
import { CompareTable } from "./compare/table.js";
import { Deletions } from "./runs/undo-delete.js";
import { beforeFork, ForkForm } from "./runs/fork-dialog.js";
import { mountKeys } from "./ui/shortcuts.js";
import { mountThemeButton } from "./ui/theme-toggle.js";
import { toast } from "./ui/toasts.js";
import { mountWayBack } from "./ui/back-link.js";

const REFRESH_MS = 10_000;
const RETRY_MS = 3000;
const CHOSEN_AT_FIRST = 4;

const operator = document.body.dataset.operator === "true";
const store = createStore(reduce, initialState({ operator }));

// --- A socket for each run in view ---

const sockets = new Map();

function keepSockets() {
  const wanted = visibleIds(store.get());
  for (const [id, socket] of sockets) {
    if (wanted.includes(id)) continue;
    socket.close();
    sockets.delete(id);
  }
  for (const id of wanted) {
    if (!sockets.has(id)) sockets.set(id, listenTo(id));
  }
}

const listenTo = (id) =>
  new LiveSocket(id, {
    message(message) {
      if (message.type === "snapshot") asked.delete(id); // it may have gone back, and on otherwise
      store.dispatch({ type: "message", id, message });
      if (message.type === "snapshot" && message.loss.bucket > 1) {
        refineStart(store, id, message.loss.bucket);
      }
    },
    connection(connection) {
      store.dispatch({ type: "connection", id, connection });
      if (connection.status === "gone") leave(id);
    },
  });

/** A run that was deleted in another window, or never was. */
function leave(id) {
  const name = store.get().seen[id]?.run.name;
  store.dispatch({ type: "gone", id });
  toast(name ? `“${name}” was deleted.` : "A run of the address is not there (any more).");
  refreshRuns();
}

// --- What the server has ---

async function refreshRuns() {
  try {
    store.dispatch({ type: "runs", runs: await api.listRuns() });
    return true;
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    return false;
  }
}

/** Ask when each run reached the goal: once, since that never changes, and when it has. */
const asked = new Map(); // id -> the goal last asked for

async function askWhenReached() {
  const goal = goalOf(store.get());
  if (goal === null) return;
  for (const { id, run } of visible(store.get())) {
    if (asked.get(id) === goal || !isReached(run, goal)) continue;
    asked.set(id, goal);
    try {
      const { update, seconds } = await api.getReached(id, goal * run.spec.sequence_length);
      if (update === null) asked.delete(id);
      else store.dispatch({ type: "reached", id, reached: { goal, update, seconds } });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      asked.delete(id);
    }
  }
}

/** A goal that all in view have reached, for as long as the reader has named none. */
function suggest() {
  const state = store.get();
  const complete = visibleIds(state).every((id) => state.seen[id]);
  if (complete) store.dispatch({ type: "suggest", goal: suggestedGoal(state) });
}

const watched = new URLSearchParams(location.search).get("with"); // before the address follows

async function begin() {
  const view = readAddress(location.search, PARAMETERS);
  store.dispatch({ type: "look", view });
  if (!(await refreshRuns())) {
    setTimeout(begin, RETRY_MS);
    return;
  }
  if (view.chosen) return;
  const ids = firstChoice(store.get().runs, watched, CHOSEN_AT_FIRST);
  store.dispatch({ type: "choose", ids });
}

// --- Views ---

const deletions = new Deletions(store, refreshRuns);
const fork = operator ? new ForkForm(showFork) : null;

/** Put a fork beside its trunk, from shortly before they part. */
function showFork(branch, trunk) {
  refreshRuns();
  const { chosen } = store.get();
  const others = chosen.length < LIMIT_CHOSEN ? chosen : [trunk.id];
  store.dispatch({ type: "choose", ids: [...others, branch.id] });
  store.dispatch({ type: "x", x: "updates" });
  store.dispatch({ type: "zoom", range: [beforeFork(branch), Infinity] });
}

mountPicker(store);
mountSwitches(store);
new CompareChart(store, loadPlotly());
new CompareTable(store, {
  fork: ({ run, checkpoints }) => fork.open(run, checkpoints),
  remove: (run) => deletions.start({ id: run.id, run: run.id, name: `“${run.name}”` }),
  renamed(run) {
    store.dispatch({ type: "run", run });
    refreshRuns();
  },
});
mountConnection(store);
mountAnnouncer(store);
mountThemeButton();
mountWayBack();
mountKeys({
  f: () => store.dispatch({ type: "zoom", range: null }),
  l: () =>
    store.dispatch({ type: "scale", scale: store.get().scale === "log" ? "linear" : "log" }),
  w: () => document.querySelector("nav a").click(),
  t: toggleTheme,
  z: () => deletions.undo(),
});

store.watch((state) => [visibleIds(state).join()], keepSockets);
store.watch(
  (state) => [
    goalOf(state),
    state.reached,
    ...visible(state).map(({ id, run }) => `${id} ${run.best?.update}`),
  ],
  askWhenReached,
);
store.watch(
  (state) => [visibleIds(state).join(), ...visible(state).map(({ run }) => run.best !== null)],
  suggest,
);
fetchDetails(store);

begin();
mountAddress(store, PARAMETERS);
setInterval(() => document.visibilityState === "visible" && refreshRuns(), REFRESH_MS);
