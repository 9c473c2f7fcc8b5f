/** Wires the page: socket -> store -> views, and the reader's deeds to the server. */

import { mountAddress } from "./address.js";
import { fetchBaselines } from "./baselines.js";
import { ServerClock } from "./clock.js";
import { fetchSamplesCloser } from "./closer.js";
import { fetchDetailOnZoom, fetchSmoothed } from "./detail.js";
import { find } from "./dom.js";
import { fetchPages } from "./epochs.js";
import { loadPlotly } from "./plotly.js";
import { fetchReadings } from "./readings.js";
import { initialState, reduce } from "./reducers.js";
import { RunInView } from "./runinview.js";
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
import { Trust } from "./views/trust.js";
import { mountWords } from "./views/words.js";
import { WordsDialog } from "./views/wordsdialog.js";
import { mountWriting } from "./views/writing.js";
import { rememberWatched } from "./wayback.js";

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
