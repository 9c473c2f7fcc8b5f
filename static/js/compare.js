/** The entry of the comparison page: sockets -> store -> views; actions go to the server. */

import { changedView, mountUrlState, stateFromUrl } from "./state/url-state.js";
import * as api from "./net/api.js";
import { isReached } from "./compare/columns.js";
import { suggestedGoal } from "./compare/lines.js";
import { keepGroups } from "./groups/compare-loader.js";
import { mountVerdicts } from "./groups/verdicts.js";
import { LIMIT_CHOSEN } from "./compare/series-styles.js";
import {
  defaultSelection,
  goalOf,
  groupName,
  initialState,
  LOSS_UNITS,
  PARAMETERS,
  reduce,
  VIEW_KEYS,
  visibleRuns,
  visibleGroups,
  visibleIds,
} from "./compare/reducers.js";
import { fetchDetails, fetchMetricCurves } from "./compare/detail-loader.js";
import { refineStart } from "./curve/detail-loader.js";
import { find } from "./lib/dom.js";
import { loadPlotly } from "./lib/plotly-loader.js";
import { LiveSocket } from "./net/live-socket.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { mountLiveRegion } from "./compare/live-region.js";
import { CompareChart } from "./compare/chart-view.js";
import { mountConnection } from "./compare/connection.js";
import { mountRunPicker } from "./compare/run-picker.js";
import { mountCompareControls } from "./compare/controls.js";
import { mountMoreColumns, mountTableText } from "./compare/table-buttons.js";
import { CompareTable } from "./compare/table.js";
import { nameField } from "./runs/inline-rename.js";
import { UndoDelete } from "./runs/undo-delete.js";
import { updateBeforeFork, ForkDialog } from "./runs/fork-dialog.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { storeView } from "./lecture/page-view.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";
import { toast } from "./ui/toasts.js";
import { linkBack } from "./ui/back-link.js";

const REFRESH_MS = 10_000;
const RETRY_MS = 3000;
const DEFAULT_SELECTED = 4;

const operator = document.body.dataset.operator === "true";
const metrics = JSON.parse(find("#metrics").textContent);
const store = createStore(reduce, initialState({ operator, metrics }));

// --- One socket per run in view ---

const sockets = new Map();

function updateSockets() {
  const { allRuns } = store.get();
  if (!allRuns) return; // an id may be that of a group
  const wanted = visibleIds(store.get()).filter((id) => groupName(allRuns, id) === undefined);
  for (const [id, socket] of sockets) {
    if (wanted.includes(id)) continue;
    socket.close();
    sockets.delete(id);
  }
  for (const id of wanted) {
    if (!sockets.has(id)) sockets.set(id, openSocket(id));
  }
}

const openSocket = (id) =>
  new LiveSocket(api.runStream(id), {
    message(message) {
      // The run may have gone back to a checkpoint and continued differently.
      if (message.type === "snapshot") asked.delete(id);
      store.dispatch({ type: "message", id, message });
      if (message.type === "snapshot" && message.loss.bucket > 1) {
        refineStart(store, id, message.loss.bucket);
      }
    },
    connection(connection) {
      store.dispatch({ type: "connection", id, connection });
      if (connection.status === "gone") removeMissing(id);
    },
  });

/** A run that was deleted by another client, or never existed. */
function removeMissing(id) {
  const name = store.get().live[id]?.run.name;
  store.dispatch({ type: "gone", id });
  toast(name ? `“${name}” was deleted.` : "A run in the URL does not exist.");
  refreshRuns();
}

// --- Data from the server ---

async function refreshRuns() {
  try {
    store.dispatch({ type: "runs", runs: await api.listRuns() });
    return true;
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    if (error.status === 0) store.dispatch({ type: "unreachable" });
    return false;
  }
}

/** Ask when each run reached the goal. This never changes, so it is asked only once. */
const asked = new Map(); // id -> the goal asked for last

async function askWhenReached() {
  const goal = goalOf(store.get());
  if (goal === null) return;
  for (const { id, run, group } of visibleRuns(store.get())) {
    if (group || asked.get(id) === goal || !isReached(run, goal)) continue;
    asked.set(id, goal);
    try {
      const { update, seconds } = await api.getFirstBelow(id, goal * run.spec.sequence_length);
      if (update === null) asked.delete(id);
      else store.dispatch({ type: "reached", id, reached: { goal, update, seconds } });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      asked.delete(id);
    }
  }
}

/** Suggest a goal that all runs in view have reached, unless the user has set one. */
function suggestGoal() {
  const state = store.get();
  const complete = visibleIds(state).every((id) => state.live[id]);
  if (complete) store.dispatch({ type: "suggest", goal: suggestedGoal(state) });
}

const watched = new URLSearchParams(location.search).get("with"); // read before the URL is updated

async function start() {
  const view = stateFromUrl(location.search, PARAMETERS);
  store.dispatch({ type: "setView", view });
  if (!(await refreshRuns())) {
    setTimeout(start, RETRY_MS);
    return;
  }
  if (view.chosen) return;
  const ids = defaultSelection(store.get().runs, watched, DEFAULT_SELECTED);
  store.dispatch({ type: "choose", ids });
}

// --- Groups of runs with different seeds ---

/** The groups in view, with the goal of each in nats per sequence, and their members. */
function groupsInView() {
  const state = store.get();
  const goal = goalOf(state);
  return visibleIds(state).flatMap((id) => {
    const runs = state.allRuns?.filter(({ group }) => group?.id === id) ?? [];
    if (!runs.length) return [];
    const members = runs.map((run) => `${run.id} ${run.state}`).join();
    const inUnit = goal === null ? null : goal * runs[0].spec.sequence_length;
    return [{ id, goal: inUnit, members }];
  });
}

/**
 * The groups in view, and the unit of their differences: that of the page, where it is the same for
 * all of them.
 *
 * @param {CompareState} state
 */
function comparedGroups(state) {
  const shown = visibleGroups(state);
  const groups = shown.map(({ id, run, group }) => ({
    id,
    name: run.name.replace(/ × \d+ seeds$/, ""),
    members: (group?.figures ?? []).map((each) => each.run),
  }));
  const lengths = new Set(shown.map(({ run }) => run.spec.sequence_length));
  const y = state.y === "sequence" && lengths.size !== 1 ? "character" : state.y;
  const factor = { character: 1, bits: 1 / Math.LN2, sequence: [...lengths][0] ?? 1 }[y];
  return { groups, factor, unit: LOSS_UNITS[y] };
}

const refreshGroups = keepGroups({
  wanted: groupsInView,
  isShown: (id) => store.get().live[id] !== undefined,
  fetched: (group) => store.dispatch({ type: "group", group }),
  gone: removeMissing,
});

// --- Views ---

const undoDelete = new UndoDelete(store, refreshRuns);
const forkDialog = operator ? new ForkDialog(showFork) : null;

/** Show a fork beside its parent, from shortly before the fork. */
function showFork(forked, parent) {
  refreshRuns();
  const { chosen } = store.get();
  const others = chosen.filter((id) => id !== parent.id);
  const ids = chosen.length < LIMIT_CHOSEN ? [...chosen, forked.id] : null;
  store.dispatch({ type: "choose", ids: ids ?? [parent.id, forked.id, ...others] });
  store.dispatch({ type: "x", x: "updates" });
  store.dispatch({ type: "zoom", range: [updateBeforeFork(forked), Infinity] });
}

/**
 * The field for the new name of a run or a group; see runs/inline-rename.js.
 *
 * @param {ComparedRun} live
 * @param {() => void} done
 */
function renameField({ id, run, group }, done) {
  if (group) {
    const name = groupName(store.get().allRuns, id) ?? run.name;
    return nameField({ id, name }, api.changeGroup, refreshRuns, done);
  }
  const renamed = (now) => {
    store.dispatch({ type: "run", run: now });
    refreshRuns();
  };
  return nameField(run, api.changeRun, renamed, done);
}

mountRunPicker(store);
mountCompareControls(store);
new CompareChart(store, loadPlotly());
new CompareTable(store, {
  fork: ({ run, checkpoints }) => forkDialog.open(run, checkpoints),
  remove: (run) => undoDelete.start({ id: run.id, run: run.id, name: `“${run.name}”` }),
  nameField: renameField,
});
mountMoreColumns();
mountTableText(store);
mountVerdicts(store, comparedGroups);
mountConnection(store);
mountLiveRegion(store);
mountThemeToggle();
mountLesson();
store.watch(
  (state) => (visibleIds(state).length === 1 ? visibleIds(state) : [null]),
  (id) => linkBack(id),
);
mountShortcuts({
  f: () => store.dispatch({ type: "zoom", range: null }),
  l: () => store.dispatch({ type: "scale", scale: store.get().scale === "log" ? "linear" : "log" }),
  w: () => find("nav a").click(),
  t: toggleTheme,
  z: () => undoDelete.undo(),
});

/** Fetch the user's losses that are kept with a run in view, and take away removed ones. */
async function fetchOwnLosses() {
  for (const { id, run } of visibleRuns(store.get())) {
    const key = run.own_losses ? JSON.stringify(run.own_losses) : null;
    if ((ownFetched.get(id) ?? null) === key) continue;
    ownFetched.set(id, key);
    const found = key && (await api.nullOnProblem(api.getOwnLosses(id)));
    store.dispatch({ type: "ownLosses", id, curve: found ? found.curve : null });
  }
}

const ownFetched = new Map(); // id -> the file and the rows that were fetched

store.watch((state) => [visibleIds(state).join(), state.allRuns === null], updateSockets);
store.watch(
  () => groupsInView().map(({ id, goal, members }) => `${id} ${goal} ${members}`),
  refreshGroups,
);
store.watch(
  (state) => visibleRuns(state).map(({ id, run }) => `${id} ${JSON.stringify(run.own_losses)}`),
  fetchOwnLosses,
);
store.watch(
  (state) => [
    goalOf(state),
    state.reached,
    ...visibleRuns(state).map(({ id, run }) => `${id} ${run.best?.update}`),
  ],
  askWhenReached,
);
store.watch(
  (state) => [
    visibleIds(state).join(),
    ...visibleRuns(state).flatMap(({ run }) => [run.best !== null, run.diverged_since !== null]),
  ],
  suggestGoal,
);
fetchDetails(store);
fetchMetricCurves(store);

start();
mountUrlState(store, PARAMETERS);
mountLecture(
  storeView(store, PARAMETERS, (search) => {
    const initial = initialState({ operator, metrics });
    const view = changedView(search, PARAMETERS, VIEW_KEYS, initial, store.get());
    store.dispatch({ type: "setView", view });
  }),
);
setInterval(() => document.visibilityState === "visible" && refreshRuns(), REFRESH_MS);
