/** Wires the page: socket -> store -> views, and the reader's deeds to the server. */

import { mountAddress } from "./state/url-state.js";
import { fetchBaselines } from "./curve/baselines.js";
import { ServerClock } from "./net/server-clock.js";
import { fetchSamplesCloser } from "./writing/sample-loader.js";
import { fetchDetailOnZoom, fetchSmoothed } from "./curve/detail-loader.js";
import { find } from "./lib/dom.js";
import { fetchPages } from "./reading/position-loader.js";
import { loadPlotly } from "./lib/plotly-loader.js";
import { fetchReadings } from "./reading/reading-loader.js";
import { initialState, reduce } from "./state/reducers.js";
import { RunInView } from "./state/current-run.js";
import { isLive, tellingOf } from "./state/samples.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { mountAnnouncer } from "./writing/live-region.js";
import { mountCards } from "./writing/card-tabs.js";
import { Chart } from "./chart/chart-view.js";
import { Checkpoints } from "./runs/checkpoints.js";
import { mountConnection } from "./ui/connection.js";
import { Controls } from "./runs/run-controls.js";
import { Deletions } from "./runs/undo-delete.js";
import { mountEarlier } from "./writing/earlier-samples.js";
import { mountEmpty } from "./runs/empty-state.js";
import { mountFaces } from "./reading/curve-card-tabs.js";
import { mountFigures } from "./runs/metrics.js";
import { besideTrunk, ForkForm } from "./runs/fork-dialog.js";
import { mountHurrah } from "./writing/hurrah-toast.js";
import { mountKeys } from "./ui/shortcuts.js";
import { NewRunForm } from "./runs/new-run-dialog.js";
import { mountNotice } from "./runs/run-status-banner.js";
import { PagesChart } from "./reading/position-chart.js";
import { PassagePanel } from "./passage/passage-panel.js";
import { mountQuality } from "./writing/quality.js";
import { PinCard } from "./chart/pin-card.js";
import { ReadingPage } from "./reading/reading-view.js";
import { RunSwitch } from "./runs/run-switcher.js";
import { mountSaving } from "./chart/export-menu.js";
import { mountSwitches } from "./chart/controls.js";
import { mountThemeButton } from "./ui/theme-toggle.js";
import { Timeline } from "./writing/timeline.js";
import { Trust } from "./chart/latency-panel.js";
import { mountWords } from "./writing/watched-words.js";
import { WordsDialog } from "./writing/watched-words-dialog.js";
import { mountWriting } from "./writing/writing-view.js";
import { rememberWatched } from "./ui/back-link.js";

const ZOOM_STEP = 1.6;

const store = createStore(
  reduce,
  initialState({ operator: document.body.dataset.operator === "true" }),
);

const clock = new ServerClock();
const trust = new Trust(store, clock);
const inView = new RunInView(store, (message) => trust.received(message));
const created = (run) => inView.openNew(run);

// Who compares wants to see the run in view among the others, and who comes back, that run.
const compareLink = find("nav a[href='/compare']");
store.watch(
  ({ runId }) => [runId],
  (id) => {
    compareLink.setAttribute("href", id ? `/compare?with=${id}` : "/compare");
    rememberWatched(id);
  },
);

const controls = new Controls(store);
const newRun = new NewRunForm(store, created);
const timeline = new Timeline(store);
const passage = new PassagePanel(store);
const deletions = new Deletions(store, () => inView.refreshRuns());
const fork = new ForkForm((branch, trunk) =>
  location.assign(besideTrunk(branch, trunk)),
);
const checkpoints = new Checkpoints(store, deletions, fork);
new RunSwitch(store, deletions, inView);
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

inView.begin();
