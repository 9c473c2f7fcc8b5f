/** The entry of the wall: all runs at once, live. */

import * as api from "./net/api.js";
import { find, setText } from "./lib/dom.js";
import * as format from "./lib/format.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { LiveSocket } from "./net/live-socket.js";
import { changedView, mountUrlState, stateFromUrl } from "./state/url-state.js";
import { linkBack } from "./ui/back-link.js";
import { isOutdated, showConnection } from "./ui/connection.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { storeView } from "./lecture/page-view.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";
import { mountFullScreen, mountWallControls } from "./wall/controls.js";
import { curveLoader } from "./wall/curve-loader.js";
import { WallGrid } from "./wall/grid.js";
import { INITIAL_STATE, PARAMETERS, reduce, VIEW_KEYS } from "./wall/reducers.js";

const store = createStore(reduce, {
  ...INITIAL_STATE,
  ...stateFromUrl(location.search, PARAMETERS),
});

async function sweepNames() {
  const sweeps = (await api.nullOnProblem(api.listSweeps())) ?? [];
  return Object.fromEntries(sweeps.map(({ id, name }) => [id, name]));
}

mountWallControls(store, sweepNames);
const fetchCurves = (ids) => api.nullOnProblem(api.listWallCurves(ids));
const grid = new WallGrid(store, curveLoader(store, fetchCurves));
mountThemeToggle();
mountLesson();
linkBack();
mountShortcuts({
  f: mountFullScreen(),
  r: () => grid.resort(),
  t: toggleTheme,
  w: () => find("nav a").click(),
});
store.watch(
  ({ connection, viewers, runs }) => [connection, viewers, runs === null],
  (connection, viewers) => {
    const { runs: run } = store.get();
    showConnection(connection, isOutdated({ connection, run }));
    find("#viewers").hidden = viewers === null;
    setText(find("#viewers"), viewers === null ? "" : `${format.count(viewers)} watching`);
  },
);
mountUrlState(store, PARAMETERS);
mountLecture(
  storeView(store, PARAMETERS, (search) => {
    const values = changedView(search, PARAMETERS, VIEW_KEYS, INITIAL_STATE, store.get());
    store.dispatch({ type: "choose", values });
  }),
);
new LiveSocket(api.WALL_STREAM, {
  message: (message) => store.dispatch({ type: "message", message }),
  connection: (connection) => store.dispatch({ type: "connection", connection }),
});
