/** The player's part of the page: one answer in each round. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { inSentence } from "./characters.js";
import { ChoiceButtons } from "./choice-buttons.js";
import { isFinished, lastResult } from "./reducers.js";
import { present, startedKey } from "./session.js";

const KEYS = ["1", "2", "3", "4"];
const RETRY_MS = 1500;
const NOT_SENT = "The connection is lost. Your answer is sent again until the round ends.";

export class PlayerView {
  #store;
  #id;
  #token;
  #joined = false;
  #choices = new ChoiceButtons((index) => this.#choose(index));
  #typing = find("#guess-typing");
  #input = find("#guess-input");

  /**
   * @param {Store<GuessState>} store
   * @param {string} id of the game.
   * @param {string} token of this player.
   */
  constructor(store, id, token) {
    this.#store = store;
    this.#id = id;
    this.#token = token;
    this.#typing.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.#type();
    });
    for (const button of this.#typing.querySelectorAll("[data-answer]")) {
      button.addEventListener("click", () => this.#answer(button.dataset.answer));
    }
    this.#mountPresentButton();
    store.watch(
      ({ connection, over }) => [connection.status, over],
      (status) => {
        if (!this.#joined && (status === "live" || status === "polling")) this.#join();
      },
    );
    store.watch(
      ({ game }) => [game?.results.length],
      () => {
        const { game, answers } = store.get();
        // Another tab may have answered, or the reply may have been lost.
        if (this.#joined && game?.round && answers[game.round] === undefined) this.#join();
      },
    );
    store.watch(
      ({ game, answers, sending, problem, over }) => [game, answers, sending, problem, over],
      () => this.#draw(),
    );
    // After it was drawn: what is hidden takes no focus.
    store.watch(
      ({ game }) => [game?.round],
      () => {
        this.#input.value = "";
        if (this.#store.get().game?.open && this.#isTyped) this.#input.focus();
      },
    );
  }

  /** The keys 1 to 4. */
  get shortcuts() {
    return Object.fromEntries(KEYS.map((key, index) => [key, () => this.#choose(index)]));
  }

  get #isTyped() {
    return this.#store.get().game?.mode === "typing";
  }

  /** Join, or fetch the answers that the server has of this player. */
  async #join() {
    this.#joined = true;
    try {
      const { answers } = await api.joinGame(this.#id, this.#token);
      const byRound = Object.fromEntries(answers.map(({ round, character }) => [round, character]));
      this.#store.dispatch({ type: "answers", answers: byRound });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      // A lost connection: again when it is back.
      this.#joined = error.status !== 0;
      if (error.status) this.#report(null, error.message);
    }
  }

  /** @param {number} index */
  #choose(index) {
    const character = this.#store.get().game?.choices?.[index];
    if (character !== undefined) this.#answer(character);
  }

  #type() {
    const [character, ...more] = this.#input.value;
    if (character === undefined || more.length) {
      this.#report(null, "Type one character.");
    } else {
      this.#answer(character);
    }
  }

  /** Send an answer, unless there is one already. @param {string} character */
  #answer(character) {
    const { game, answers, sending } = this.#store.get();
    if (!game?.open || answers[game.round] !== undefined || sending !== null) return;
    this.#send(game.round, character);
  }

  /** @type {(round: number, character: string) => Promise<void>} */
  async #send(round, character) {
    const problem = this.#store.get().problem;
    this.#report(character, problem === NOT_SENT ? problem : null);
    try {
      const counted = await api.answerRound(this.#id, { player: this.#token, round, character });
      const answers = { [counted.round]: counted.character };
      this.#store.dispatch({ type: "answers", answers });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (this.#store.get().game?.round !== round) return;
      this.#report(error.status ? null : character, error.status ? error.message : NOT_SENT);
      if (!error.status) setTimeout(() => this.#sendAgain(round, character), RETRY_MS);
    }
  }

  /** @type {(round: number, character: string) => void} */
  #sendAgain(round, character) {
    const { game, answers, over } = this.#store.get();
    if (game?.round !== round || answers[round] !== undefined || over !== null) return;
    if (game.open) this.#send(round, character);
    else this.#report(null, "Your answer did not arrive in time.");
  }

  /** @type {(sending: string | null, problem: string | null) => void} */
  #report(sending, problem) {
    this.#store.dispatch({ type: "sending", sending, problem });
  }

  #draw() {
    const state = this.#store.get();
    const { game, answers, sending, over } = state;
    if (!game) return;
    const playing = game.open && over === null;
    const own = answers[game.round];
    const locked = !playing || own !== undefined || sending !== null;
    this.#choices.draw(playing ? game.choices : null, own ?? sending, locked);
    this.#typing.hidden = !playing || !this.#isTyped;
    for (const field of this.#typing.querySelectorAll("input, button")) {
      field.setAttribute("aria-disabled", String(locked));
    }
    this.#input.readOnly = locked;
    setText(find("#guess-status"), over ? "" : statusOf(state));
  }

  /** A browser that has presented this game in another tab can do so here. */
  #mountPresentButton() {
    const key = startedKey(this.#id);
    find("#guess-again").hidden = key === null;
    find("#guess-present").addEventListener("click", () => {
      if (key === null) return;
      present(this.#id, key);
      location.reload();
    });
  }
}

/** @param {GuessState} state */
function statusOf({ game, answers, sending, problem }) {
  if (problem) return problem;
  if (!game) return "";
  if (game.round === 0) {
    return "You are in. The presenter starts the first round.";
  }
  const own = answers[game.round];
  const result = lastResult(game);
  if (result) {
    const after = isFinished(game) ? "That was the last round." : "The next round follows.";
    const actual = inSentence(result.character);
    if (own === undefined) return `You have not answered. It is ${actual}. ${after}`;
    if (own === result.character) return `Right: it is ${actual}. ${after}`;
    return `Wrong: you answered ${inSentence(own)}, and it is ${actual}. ${after}`;
  }
  const count = countSentence(game);
  if (own !== undefined) return `Your answer is ${inSentence(own)}. ${count}`;
  if (sending !== null) return "Sending your answer.";
  return count;
}

/** @param {Game} game */
function countSentence({ answered, players }) {
  return answered ? `${format.count(answered)} of ${format.count(players)} have answered.` : "";
}
