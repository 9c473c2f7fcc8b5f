/** The entry of the watch page: socket -> store -> views; actions go to the server. */

import { mountUrlState } from "./state/url-state.js";
import { fetchBaselines } from "./curve/baselines.js";
import { ServerClock } from "./net/server-clock.js";
import { fetchVisibleSamples } from "./writing/sample-loader.js";
import { fetchDetailOnZoom, fetchShortRun, fetchSmoothed } from "./curve/detail-loader.js";
import { find, rooted } from "./lib/dom.js";
import { lastUpdate } from "./curve/loss-curve.js";
import { fetchLossByPosition } from "./reading/position-loader.js";
import { loadPlotly } from "./lib/plotly-loader.js";
import { fetchReadings } from "./reading/reading-loader.js";
import { initialState, reduce } from "./state/reducers.js";
import { fetchSeedBand } from "./groups/band-loader.js";
import { SeedsPanel } from "./groups/seeds-panel.js";
import { CurrentRun } from "./state/current-run.js";
import { isLive, textModeOf } from "./state/samples.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { mountLiveRegion } from "./writing/live-region.js";
import { mountCardTabs } from "./writing/card-tabs.js";
import { ChartView } from "./chart/chart-view.js";
import { Checkpoints } from "./runs/checkpoints.js";
import { mountConnection } from "./ui/connection.js";
import { OwnLossesPanel } from "./runs/own-losses.js";
import { mountTestPart } from "./report/test-part.js";
import { RunControls } from "./runs/run-controls.js";
import { UndoDelete } from "./runs/undo-delete.js";
import { mountEarlierSamples } from "./writing/earlier-samples.js";
import { mountEmptyState } from "./runs/empty-state.js";
import { mountCurveTabs } from "./reading/curve-card-tabs.js";
import { mountFigures } from "./runs/figures.js";
import { mountRunNotifications } from "./notifications/run-notifications.js";
import { mountPageTitle } from "./notifications/page-title.js";
import { mountMetricCharts } from "./metrics/metric-charts.js";
import { fetchMetrics } from "./metrics/metric-loader.js";
import { mountTour } from "./guide/tour.js";
import { ReportDialog } from "./report/report-dialog.js";
import { compareUrl, ForkDialog } from "./runs/fork-dialog.js";
import { MachinesDialog } from "./machines/machines-dialog.js";
import { ImportDialog } from "./transfer/import-dialog.js";
import { mountHurrahToast } from "./writing/hurrah-toast.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { NewRunDialog } from "./runs/new-run-dialog.js";
import { mountRunStatusBanner } from "./runs/run-status-banner.js";
import { Playback } from "./state/playback-timer.js";
import { PositionChart } from "./reading/position-chart.js";
import { PassagePanel } from "./passage/passage-panel.js";
import { mountSampleHold } from "./writing/sample-hold.js";
import { mountQuality } from "./writing/quality.js";
import { PinCard } from "./chart/pin-card.js";
import { ReadingView } from "./reading/reading-view.js";
import { RunSwitcher } from "./runs/run-switcher.js";
import { mountExportMenu } from "./chart/export-menu.js";
import { mountChartControls } from "./chart/controls.js";
import { mountTerms } from "./guide/terms.js";
import { Projector } from "./lecture/projector.js";
import { mountLecture } from "./lecture/lecture.js";
import { curvePlaces } from "./lecture/curve-places.js";
import { storeView } from "./lecture/page-view.js";
import { readSession } from "./lecture/session.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";
import { Timeline } from "./writing/timeline.js";
import { LatencyPanel } from "./chart/latency-panel.js";
import { mountWatchedWords } from "./writing/watched-words.js";
import { WatchedWordsDialog } from "./writing/watched-words-dialog.js";
import { mountWritingView } from "./writing/writing-view.js";
import { rememberRun } from "./ui/back-link.js";

const ZOOM_STEP = 1.6;
const TWO_TEMPERATURES = {
  source: "best",
  seed: 1,
  length: 300,
  temperature: 1,
  temperatures: [0.5, 1.2],
  top_k: null,
  top_p: null,
  prime: "",
};

const store = createStore(
  reduce,
  initialState({ operator: document.body.dataset.operator === "true" }),
);

mountSampleHold(store); // before the views, so that none of them shows a sample too early

const clock = new ServerClock();
const latencyPanel = new LatencyPanel(store, clock);
const currentRun = new CurrentRun(store, (message) => latencyPanel.received(message));
const created = (run) => currentRun.openNew(run);

// The other pages open with the run in view, and the link back returns to it.
const insideLink = find(`nav a[href="${rooted("/inside")}"]`);
const compareLink = find(`nav a[href="${rooted("/compare")}"]`);
const sweepsLink = find(`nav a[href="${rooted("/sweeps")}"]`);
store.watch(
  ({ run }) => [run?.sweep],
  (id) => sweepsLink.setAttribute("href", id ? rooted(`/sweeps?sweep=${id}`) : rooted("/sweeps")),
);
store.watch(
  ({ runId }) => [runId],
  (id) => {
    compareLink.setAttribute("href", id ? rooted(`/compare?with=${id}`) : rooted("/compare"));
    insideLink.setAttribute("href", id ? rooted(`/inside?run=${id}`) : rooted("/inside"));
    const step = rooted(`/inside?${id ? `run=${id}&` : ""}view=update`);
    find("#step-inside").setAttribute("href", step);
    rememberRun(id);
  },
);

const runControls = new RunControls(store);
const newRunDialog = new NewRunDialog(store, created);
new ImportDialog(store, created);
const timeline = new Timeline(store);
const passagePanel = new PassagePanel(store);
const undoDelete = new UndoDelete(store, () => currentRun.refreshRuns());
const forkDialog = new ForkDialog((forked, parent) =>
  location.assign(compareUrl(forked, parent) + location.hash),
);
new ReportDialog(store);
const checkpoints = new Checkpoints(store, undoDelete, forkDialog);
new RunSwitcher(store, undoDelete, currentRun);
new MachinesDialog(store, currentRun);
mountTestPart(store);
mountConnection(store);
mountPageTitle(store);
mountRunNotifications(store);
mountFigures(store);
const chartView = new ChartView(store, loadPlotly);
mountMetricCharts(store, () => chartView.size);
new PositionChart(store, loadPlotly);
mountCurveTabs(store);
const pinCard = new PinCard(store, () => chartView.size);
mountChartControls(store);
mountExportMenu(store, chartView);
new OwnLossesPanel(store);
new SeedsPanel(store, currentRun);
const playback = new Playback(store);
mountRunStatusBanner(store, {
  replay: () => playback.start(),
  endReplay: () => playback.stop(),
  continueTraining: () => runControls.continueTraining(),
  resume: () => runControls.togglePause(),
  halveRate: () => runControls.resumeAtHalfRate(),
  newRun: () => newRunDialog.open(),
  async goBack() {
    const { run } = store.get();
    if (!run || (await forkDialog.openBefore(run, run.diverged_since ?? 0))) return;
    const { learning_rate: rate } = run.spec;
    await newRunDialog.open({
      spec: { ...run.spec, learning_rate: rate / 2 },
      reason:
        "There is no checkpoint from before the divergence: these are the settings of a new run" +
        ` with a learning rate of ${rate / 2} instead of ${rate}.`,
    });
  },
});
mountWritingView(store);
mountEarlierSamples(store);
mountCardTabs(store);
new ReadingView(store);
mountQuality(store, timeline);
mountWatchedWords(store);
new WatchedWordsDialog(store);
mountHurrahToast(store);
mountEmptyState(store, {
  created,
  openForm: () => newRunDialog.open(),
  prepareChart: loadPlotly,
});
mountLiveRegion(store);
fetchDetailOnZoom(store);
fetchShortRun(store);
fetchSmoothed(store);
fetchBaselines(store);
fetchVisibleSamples(store);
fetchReadings(store);
fetchLossByPosition(store);
fetchMetrics(store);
fetchSeedBand(store);

mountThemeToggle();
mountLesson();
mountTerms();
const canStep = ({ operator, run }) =>
  operator && (run?.state === "running" || run?.state === "paused");
mountTour(store, [
  {
    label: "Pause, and make one step",
    then: "The training is paused. Press Step again, and look at the update and the last dot.",
    isPossible: canStep,
    run: () => runControls.pauseAndStep(),
  },
  {
    label: "See which characters were hard to guess",
    then: "The stronger the colour of a character, the harder it was to guess.",
    isPossible: (state) => !canStep(state) && lastUpdate(state.curve) > 0,
    run: () => {
      store.dispatch({ type: "sideTab", sideTab: "reading" });
      find("#reading-title").scrollIntoView({ block: "center" });
    },
  },
  {
    label: "Let it write at two temperatures",
    then: "The same network twice: the first text is careful, the second one is bold.",
    isPossible: ({ run }) => run !== null,
    run: () => store.dispatch({ type: "passage", passage: TWO_TEMPERATURES }),
  },
  {
    label: "Go back to its first writing",
    then:
      "This is the first sample. Drag the slider, or press →, and watch spaces and words appear.",
    isPossible: ({ samples }) => samples.length > 1,
    run: () => timeline.goTo(0),
  },
], () => readSession() === null);
mountUrlState(store);
mountLecture({
  ...storeView(
    store,
    undefined,
    (search) => currentRun.follow(search),
    ({ runId }) => runId !== null,
  ),
  curve: curvePlaces(store, () => chartView.size),
});
clock.start();

/** Switch between the two texts of a past update; the live view has only one. */
function toggleTextMode() {
  const state = store.get();
  const textMode = textModeOf(state) === "replay" ? "written" : "replay";
  if (!isLive(state)) store.dispatch({ type: "textMode", textMode });
}

const projector = new Projector();

const forOperator = (action) => () => store.get().operator && action();
mountShortcuts({
  " ": forOperator(() => runControls.togglePause()),
  s: forOperator(() => runControls.step()),
  c: forOperator(() => checkpoints.save()),
  n: forOperator(() => newRunDialog.open()),
  p: () => passagePanel.openAndWrite(),
  k: () => passagePanel.save(),
  f: () => store.dispatch({ type: "zoom", range: null }),
  "+": () => chartView.zoomBy(1 / ZOOM_STEP),
  "=": () => chartView.zoomBy(1 / ZOOM_STEP),
  "-": () => chartView.zoomBy(ZOOM_STEP),
  "[": () => pinCard.step(-1),
  "]": () => pinCard.step(1),
  m: forOperator(() => pinCard.write()),
  l: () => store.dispatch({ type: "scale", scale: store.get().scale === "log" ? "linear" : "log" }),
  r: () => compareLink.click(),
  g: () => location.assign(rooted(`/gradients${location.hash}`)),
  t: toggleTheme,
  z: () => undoDelete.undo(),
  ArrowLeft: () => timeline.move(-1),
  ArrowRight: () => timeline.move(1),
  Home: () => timeline.goTo(0),
  End: () => timeline.goTo(Infinity),
  b: () => projector.toggle(),
  q: () => projector.toggleCode(),
  Escape: () => {
    if (projector.leave()) return;
    if (store.get().playback) playback.stop();
    else timeline.goTo(Infinity);
  },
  d: () => toggleTextMode(),
});

const params = new URLSearchParams(location.search);
const [linked, vary] = [params.get("new"), params.get("vary")];
currentRun.start();
if (linked !== null || vary !== null) newRunDialog.openLink(linked ?? "", vary);
