/** What players and the presenter see of a game: the round, the passage and the result. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { glyphOf, namedGlyph } from "./characters.js";
import { isFinished, lastResult } from "./reducers.js";

const HELD_OUT =
  "The passage is from the part of the text that the network was not trained on.";
const CHOSEN =
  "The presenter chose the passage. It is not part of the text that the network was trained on.";

/** @param {Store<GuessState>} store */
export function mountGameView(store) {
  const text = find("#guess-text");
  // What appears below it may leave it less space.
  new ResizeObserver(() => showEnd(text)).observe(text);
  text.addEventListener("scroll", () => markBeginning(text), { passive: true });
  store.watch(
    ({ game, over }) => [game !== null, over],
    (known, over) => {
      find("#guess-game").hidden = !known;
      find("#guess-over").hidden = over === null;
      setText(find("#guess-over-reason"), over ?? "");
      // A player may have scrolled to the scores.
      if (over !== null) find("#guess-over").scrollIntoView({ block: "center" });
    },
  );
  store.watch(
    ({ game, over }) => [game?.round, game?.rounds, game?.open, over],
    () => {
      const { game, over } = store.get();
      if (game) setText(find("#guess-round"), roundTitle(game, over !== null));
    },
  );
  store.watch(
    ({ game }) => [game?.text, game?.open, game?.round],
    () => {
      const { game } = store.get();
      if (game) drawText(game);
    },
  );
  store.watch(
    ({ game }) => [game?.shares],
    () => {
      const { game } = store.get();
      const result = lastResult(game);
      find("#guess-result").hidden = result === null;
      if (game && result) drawShares(game, result.character);
    },
  );
  store.watch(
    ({ game }) => [game?.run_name, game?.update, game?.held_out],
    (name, update, heldOut) => {
      if (name === undefined) return;
      const updates = format.plural(update, "update", "updates");
      const passage = heldOut ? HELD_OUT : CHOSEN;
      setText(find("#guess-about"), `The network is “${name}” after ${updates}. ${passage}`);
    },
  );
}

/** @type {(game: Game, over: boolean) => string} */
function roundTitle(game, over) {
  if (isFinished(game)) return "The game is over";
  if (over) return `The game is over after ${game.results.length} of ${game.rounds} rounds`;
  if (game.round === 0) return "Guess the next character";
  return `Round ${game.round} of ${game.rounds}`;
}

/** @param {Game} game */
function drawText(game) {
  const host = find("#guess-text");
  const result = lastResult(game);
  if (result) {
    const before = game.text.slice(0, game.text.length - result.character.length);
    const end = result.character === "\n" ? "\n" : "";
    host.replaceChildren(before, el("mark", { text: glyphOf(result.character) }), end);
  } else {
    host.replaceChildren(game.text);
  }
  if (!isFinished(game)) {
    const label = { role: "img", "aria-label": "the next character" };
    host.append(el("span", { class: "guess-slot", text: "?", ...label }));
  }
  showEnd(host);
}

/** The end of a long passage is what matters. @param {HTMLElement} host */
function showEnd(host) {
  host.scrollTop = host.scrollHeight;
  markBeginning(host);
}

/** Show whether the beginning of the passage is scrolled out of view. @param {HTMLElement} host */
function markBeginning(host) {
  host.toggleAttribute("data-cut", host.scrollTop >= 1);
}

/** @type {(game: Game, actual: string) => void} */
function drawShares({ shares }, actual) {
  const rows = shares.map(({ character, hall, network }) => {
    const right = character === actual;
    const name = el("span", { class: "guess-character" }, ...namedGlyph(character));
    const mark = el("span", { class: "visually-hidden", text: "the actual character" });
    return el(
      "tr",
      { class: right ? "guess-actual" : "" },
      el("th", { scope: "row" }, name, " ", ...(right ? [mark] : [])),
      shareCell("hall", hall),
      shareCell("network", network),
    );
  });
  find("#guess-shares").replaceChildren(...rows);
}

/** @type {(kind: string, share: number) => HTMLElement} */
function shareCell(kind, share) {
  const bar = el("span", { class: `guess-bar guess-bar-${kind}`, "aria-hidden": "true" });
  bar.style.setProperty("--share", String(share));
  return el("td", {}, bar, el("span", { class: "guess-percent", text: percent(share) }));
}

/** @param {number} share */
const percent = (share) => (share > 0 && share < 0.005 ? "<1%" : format.share(share));
