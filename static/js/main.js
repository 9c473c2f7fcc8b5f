/** Wires the page: socket -> store -> views, and the reader's deeds to the server. */

import { addressOf, mountAddress, readAddress } from "./address.js";
import * as api from "./api.js";
import { fetchBaselines } from "./baselines.js";
import { ServerClock } from "./clock.js";
import { fetchSamplesCloser } from "./closer.js";
import { fetchDetailOnZoom, fetchSmoothed, refineStart } from "./detail.js";
import { find } from "./dom.js";
import { fetchPages } from "./epochs.js";
import { loadPlotly } from "./plotly.js";
import { fetchReadings } from "./readings.js";
import { initialState, reduce } from "./reducers.js";
import { LiveSocket } from "./socket.js";
import { isLive, tellingOf } from "./samples.js";
import { createStore } from "./store.js";
import { toggleTheme } from "./theme.js";
import { mountAnnouncer } from "./views/announcer.js";
import { mountCards } from "./views/cards.js";
import { Chart } from "./views/chart.js";
import { Checkpoints } from "./views/checkpoints.js";
import { mountConnection } from "./views/connection.js";
import { Controls } from "./views/controls.js";
import { Deletions } from "./views/deletions.js";
import { mountEarlier } from "./views/earlier.js";
import { mountEmpty } from "./views/empty.js";
import { mountFaces } from "./views/faces.js";
import { mountFigures } from "./views/figures.js";
import { besideTrunk, ForkForm } from "./views/fork.js";
import { mountHurrah } from "./views/hurrah.js";
import { mountKeys } from "./views/keys.js";
import { NewRunForm } from "./views/newrun.js";
import { mountNotice } from "./views/notice.js";
import { PagesChart } from "./views/pages.js";
import { PassagePanel } from "./views/passage.js";
import { mountQuality } from "./views/quality.js";
import { PinCard } from "./views/pincard.js";
import { ReadingPage } from "./views/reading.js";
import { RunSwitch } from "./views/runs.js";
import { mountSaving } from "./views/saving.js";
import { mountSwitches } from "./views/switches.js";
import { mountThemeButton } from "./views/themebutton.js";
import { Timeline } from "./views/timeline.js";
import { toast } from "./views/toasts.js";
import { Trust } from "./views/trust.js";
import { mountWords } from "./views/words.js";
import { WordsDialog } from "./views/wordsdialog.js";
import { mountWriting } from "./views/writing.js";
import { rememberWatched } from "./wayback.js";

const RETRY_MS = 3000;
const ZOOM_STEP = 1.6;

const store = createStore(
  reduce,
  initialState({ operator: document.body.dataset.operator === "true" }),
);

// --- Which run is in view: the address says, and the address follows ---

let socket = null;

/** Show a run, and of it what `view` (see address.js) asks for. */
function show(id, view = {}) {
  const moved = id !== store.get().runId || !socket;
  if (moved) socket?.close();
  store.dispatch({ type: moved ? "open" : "look", runId: id, view });
  if (!moved) return;
  socket = null;
  if (!id) return;
  socket = new LiveSocket(id, {
    message: receive,
    connection(connection) {
      store.dispatch({ type: "connection", connection });
      if (connection.status === "gone") leaveGoneRun(id);
    },
  });
}

function receive(message) {
  trust.received(message);
  store.dispatch({ type: "message", message });
  if (store.get().refining && message.type === "snapshot") {
    refineStart(store, message.run, message.loss.bucket);
  }
}

function openRun(id) {
  if (id === store.get().runId) return;
  show(id);
  history.pushState(null, "", addressOf(store.get()));
}

/** Ask the server for something the page can do without for now; null when it can't be had. */
async function tryTo(ask) {
  try {
    return await ask();
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    return null;
  }
}

async function refreshRuns() {
  const runs = await tryTo(api.listRuns);
  if (runs) store.dispatch({ type: "runs", runs });
  return runs !== null;
}

async function refreshCorpora() {
  const corpora = await tryTo(api.listCorpora);
  if (corpora) store.dispatch({ type: "corpora", corpora });
}

/** The run that a page without one in its address shows: the newest at work, else the newest. */
function mostInteresting(runs) {
  return (runs.find(({ state }) => state === "running") ?? runs[0])?.id ?? null;
}

async function leaveGoneRun(id) {
  await refreshRuns();
  if (store.get().runId !== id) return;
  const next = mostInteresting((store.get().runs ?? []).filter((run) => run.id !== id));
  toast(
    next
      ? "That run is not there (any more). This one is."
      : "That run is not there (any more), and no other one is.",
  );
  show(next);
}

async function created(run) {
  await refreshRuns();
  openRun(run.id);
}

/** Show the run of the address, or choose one; while the server can't be reached, try again. */
async function begin() {
  const view = readAddress(location.search);
  const asked = view.runId;
  if (asked) show(asked, view);
  refreshCorpora();
  const reached = await refreshRuns();
  if (!reached) {
    setTimeout(begin, RETRY_MS);
    return;
  }
  if (!asked) show(mostInteresting(store.get().runs), view);
}

window.addEventListener("popstate", () => {
  const view = readAddress(location.search);
  show(view.runId ?? mostInteresting(store.get().runs ?? []), view);
});

// A run from a text uploaded elsewhere brings a corpus that this page has not heard of.
store.watch(
  (state) => [state.run?.corpus],
  (corpus) => {
    if (corpus && !store.get().corpora[corpus]) refreshCorpora();
  },
);

// Who compares wants to see the run in view among the others, and who comes back, that run.
const compareLink = find("nav a[href='/compare']");
store.watch(
  ({ runId }) => [runId],
  (id) => {
    compareLink.setAttribute("href", id ? `/compare?with=${id}` : "/compare");
    rememberWatched(id);
  },
);

// A run that waits names those that it waits for, and they change without a word to this one.
setInterval(() => {
  const waits = store.get().run?.state === "queued";
  if (waits && document.visibilityState === "visible") refreshRuns();
}, RETRY_MS);

// --- Views ---

const controls = new Controls(store);
const newRun = new NewRunForm(store, created);
const timeline = new Timeline(store);
const passage = new PassagePanel(store);
const clock = new ServerClock();
const trust = new Trust(store, clock);
const deletions = new Deletions(store, refreshRuns);
const fork = new ForkForm((branch, trunk) =>
  location.assign(besideTrunk(branch, trunk)),
);
const checkpoints = new Checkpoints(store, deletions, fork);
const nextRun = () => mostInteresting(store.get().runs ?? []);
new RunSwitch(store, deletions, { openRun, refreshRuns, nextRun });
mountConnection(store);
mountFigures(store);
const chart = new Chart(store, loadPlotly);
new PagesChart(store, loadPlotly);
mountFaces(store);
const pinCard = new PinCard(store, () => chart.size);
mountSwitches(store);
mountSaving(store, chart);
mountNotice(store, {
  resume: () => controls.togglePause(),
  halveRate: () => controls.resumeAtHalfRate(),
  newRun: () => newRun.open(),
});
mountWriting(store);
mountEarlier(store);
mountCards(store);
new ReadingPage(store);
mountQuality(store, timeline);
mountWords(store);
new WordsDialog(store);
mountHurrah(store);
mountEmpty(store, { created, openForm: () => newRun.open() });
mountAnnouncer(store);
fetchDetailOnZoom(store);
fetchSmoothed(store);
fetchBaselines(store);
fetchSamplesCloser(store);
fetchReadings(store);
fetchPages(store);

mountThemeButton();
mountAddress(store);
clock.keepAsking();

/** The past with the same random numbers, or as it was written; live there is but one text. */
function turnDice() {
  const state = store.get();
  const dice = tellingOf(state) === "same" ? "written" : "same";
  if (!isLive(state)) store.dispatch({ type: "dice", dice });
}

const forOperator = (deed) => () => store.get().operator && deed();
mountKeys({
  " ": forOperator(() => controls.togglePause()),
  s: forOperator(() => controls.step()),
  c: forOperator(() => checkpoints.save()),
  n: forOperator(() => newRun.open()),
  p: () => passage.openAndWrite(),
  k: () => passage.keep(),
  f: () => store.dispatch({ type: "zoom", range: null }),
  "+": () => chart.zoomBy(1 / ZOOM_STEP),
  "=": () => chart.zoomBy(1 / ZOOM_STEP),
  "-": () => chart.zoomBy(ZOOM_STEP),
  "[": () => pinCard.step(-1),
  "]": () => pinCard.step(1),
  m: forOperator(() => pinCard.write()),
  l: () =>
    store.dispatch({ type: "scale", scale: store.get().scale === "log" ? "linear" : "log" }),
  r: () => compareLink.click(),
  g: () => location.assign("/gradients"),
  t: toggleTheme,
  z: () => deletions.undo(),
  ArrowLeft: () => timeline.move(-1),
  ArrowRight: () => timeline.move(1),
  Home: () => timeline.goTo(0),
  End: () => timeline.goTo(Infinity),
  Escape: () => timeline.goTo(Infinity),
  d: () => turnDice(),
});

begin();

