/** The entry of the page on which a hall guesses the next character. */

import * as api from "./net/api.js";
import { find } from "./lib/dom.js";
import { createStore } from "./lib/store.js";
import { toggleTheme } from "./lib/theme.js";
import { LiveSocket } from "./net/live-socket.js";
import { showConnection } from "./ui/connection.js";
import { linkBack } from "./ui/back-link.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountLecture } from "./lecture/lecture.js";
import { Announcer } from "./guess/announcer.js";
import { mountCountdown } from "./guess/countdown.js";
import { mountGameView } from "./guess/game-view.js";
import { PlayerView } from "./guess/player-view.js";
import { PresenterView } from "./guess/presenter-view.js";
import { INITIAL_STATE, reduce } from "./guess/reducers.js";
import { mountScores } from "./guess/scores.js";
import { playerToken, presenterKey } from "./guess/session.js";
import { mountSetup } from "./guess/setup.js";

mountThemeToggle();
mountLesson();
linkBack(new URLSearchParams(location.search).get("run"));
// First: a link of a lecture has the lecture's key, and not that of the game.
mountLecture();

const id = new URLSearchParams(location.search).get("game");
const common = { t: toggleTheme, w: () => find("nav a").click() };
if (id === null) {
  mountShortcuts(common);
  mountSetup();
} else {
  play(id);
}

/** @param {string} game the id of a game. */
function play(game) {
  const key = presenterKey(game);
  const store = createStore(reduce, { ...INITIAL_STATE, presents: key !== null });
  mountGameView(store);
  mountScores(store);
  mountCountdown(store);
  new Announcer(store);
  if (key !== null) {
    const presenter = new PresenterView(store, game, key);
    mountShortcuts({ ...common, ...presenter.shortcuts });
  } else {
    const player = new PlayerView(store, game, playerToken());
    mountShortcuts({ ...common, ...player.shortcuts });
  }
  store.watch(
    ({ connection, over, game: known }) => [connection, over, known === null],
    (connection, over, unknown) => {
      find("#connection").hidden = over !== null;
      showConnection(connection, !unknown && over === null && !isCurrent(connection));
    },
  );
  new LiveSocket(api.gameStream(game), {
    message: (message) => store.dispatch({ type: "message", message, at: performance.now() }),
    connection: (connection) => store.dispatch({ type: "connection", connection }),
  });
}

/** @param {Connection} connection */
const isCurrent = ({ status }) => status === "live" || status === "polling";
