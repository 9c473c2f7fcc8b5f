/** The scores of the network, the hall, this player, and chance. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isFinished, lastResult, playerBits } from "./reducers.js";

/** @param {Store<GuessState>} store */
export function mountScores(store) {
  store.watch(
    ({ game, answers, presents }) => [game?.results, game?.open, answers, presents],
    () => {
      const { game } = store.get();
      find("#guess-scores").hidden = !game?.results.length;
      if (game?.results.length) draw(store.get());
    },
  );
}

/** @param {GuessState} state */
function draw({ game, answers, presents }) {
  const { results } = /** @type {Game} */ (game);
  const own = (/** @type {RoundResult} */ result) => playerBits(result, answers[result.round]);
  /** @type {[string, (result: RoundResult) => number][]} */
  const players = [
    ["Network", (result) => result.network_bits],
    ["Hall", (result) => result.hall_bits],
    ["Chance", (result) => result.chance_bits],
  ];
  if (!presents) players.splice(2, 0, ["You", own]);
  const last = lastResult(game);
  const rows = players.map(([name, bits]) =>
    el(
      "tr",
      { "data-player": name.toLowerCase() },
      el("th", { scope: "row", text: name }),
      el("td", { text: last ? format.fine(bits(last)) : format.NO_VALUE }),
      el("td", { text: format.fine(sum(results.map(bits))) }),
    ),
  );
  find("#guess-score-rows").replaceChildren(...rows);
  const right = results.filter(({ round, character }) => answers[round] === character).length;
  const count = `You were right ${format.plural(right, "time", "times")} in ${results.length}.`;
  const sentences = [presents ? "" : count, finalSentence(game)];
  setText(find("#guess-right"), sentences.filter(Boolean).join(" "));
}

/** At the end, in bits a character. @param {Game | null} game */
function finalSentence(game) {
  if (!game || !isFinished(game)) return "";
  const mean = (/** @type {(result: RoundResult) => number} */ bits) =>
    format.fine(sum(game.results.map(bits)) / game.rounds);
  const network = mean((result) => result.network_bits);
  const hall = mean((result) => result.hall_bits);
  return `The network needed ${network} bits a character, the hall ${hall}.`;
}

/** @param {number[]} values */
const sum = (values) => values.reduce((total, value) => total + value, 0);
