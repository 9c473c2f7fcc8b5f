/** Announces rounds and results to screen readers. */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { inSentence } from "./characters.js";
import { lastResult } from "./reducers.js";

export class Announcer {
  /** @param {Store<GuessState>} store */
  constructor(store) {
    store.watch(
      ({ game }) => [game?.round, game?.open],
      () => {
        const { game, answers } = store.get();
        if (game?.round) setText(find("#live-region"), sentence(game, answers));
      },
    );
  }
}

/** @type {(game: Game, answers: Record<number, string>) => string} */
function sentence(game, answers) {
  const result = lastResult(game);
  if (!result) return opened(game);
  const { character, round, hall_bits: hall, network_bits: network } = result;
  const own = answers[round];
  const right = own === character ? "You are right. " : "You are wrong. ";
  const verdict = own === undefined ? "" : right;
  const bits = `The hall has ${format.fine(hall)} bits, the network ${format.fine(network)}.`;
  return `The character is ${inSentence(character)}. ${verdict}${bits}`;
}

/** @param {Game} game */
function opened({ round, rounds, choices }) {
  const start = `Round ${round} of ${rounds}.`;
  if (!choices) return `${start} Type the next character.`;
  const named = choices.map((each, index) => `${index + 1}: ${inSentence(each)}`);
  return `${start} ${named.join(", ")}.`;
}
