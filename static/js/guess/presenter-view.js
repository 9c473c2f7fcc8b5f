/** The presenter's part of the page: the rounds, the link for players, and the full screen. */

import * as api from "../net/api.js";
import { find, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { FullScreenLayout } from "../ui/full-screen.js";
import { toast } from "../ui/toasts.js";
import { ChoiceButtons } from "./choice-buttons.js";
import { isFinished, lastResult } from "./reducers.js";

export class PresenterView {
  #store;
  #id;
  #key;
  #next = find("#guess-next");
  #showCode = find("#guess-show-code");
  #choices = new ChoiceButtons(null);
  /** Whether the QR code is shown after the first round has begun. */
  #codeShown = false;
  #busy = false;
  #layout = new FullScreenLayout("data-hall", (on) => {
    setText(find("#guess-screen"), on ? "Leave full screen" : "Full screen");
  });

  /**
   * @param {Store<GuessState>} store
   * @param {string} id of the game.
   * @param {string} key of the presenter.
   */
  constructor(store, id, key) {
    this.#store = store;
    this.#id = id;
    this.#key = key;
    find("#guess-presenter").hidden = false;
    find("#guess").dataset.presents = "";
    this.#next.addEventListener("click", () => this.#goOn());
    this.#showCode.addEventListener("click", () => this.#toggleCode());
    find("#guess-screen").addEventListener("click", () => this.#layout.toggle());
    document.querySelector("#guess-end")?.addEventListener("click", () => this.#end());
    document.addEventListener("keydown", ({ key }) => {
      if (key === "Escape") this.#layout.leave();
    });
    this.#loadLinks();
    store.watch(
      ({ game, over }) => [game, over],
      () => this.#draw(),
    );
  }

  get shortcuts() {
    return {
      n: () => this.#goOn(),
      f: () => this.#layout.toggle(),
      q: () => this.#toggleCode(),
    };
  }

  async #loadLinks() {
    const links = await api.nullOnProblem(api.getGame(this.#id));
    if (!links) return;
    setText(find("#guess-url"), links.player_url.replace(/^https?:\/\//, ""));
    find("#guess-unreachable").hidden = links.reachable;
    const image = find("#guess-code");
    image.src = rooted(api.gameCode(this.#id));
    image.alt = `QR code of ${links.player_url}`;
  }

  /** Start the next round, or end the one that is open. */
  async #goOn() {
    const { game, over } = this.#store.get();
    if (!game || over !== null || this.#busy || (!game.open && isFinished(game))) return;
    const request = game.open
      ? api.endRound(this.#id, this.#key, game.round)
      : api.startRound(this.#id, this.#key, game.round + 1);
    this.#busy = true;
    try {
      await request;
      this.#codeShown = false;
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    } finally {
      this.#busy = false;
      this.#draw();
    }
  }

  async #end() {
    try {
      await api.endGame(this.#id);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    }
  }

  #toggleCode() {
    this.#codeShown = !this.#codeShown;
    this.#draw();
  }

  #draw() {
    const { game, over } = this.#store.get();
    if (!game) return;
    const waiting = game.round === 0;
    find("#guess-join").hidden = over !== null || !(waiting || this.#codeShown);
    find("#guess-presenter").hidden = over !== null;
    this.#showCode.hidden = waiting;
    this.#showCode.setAttribute("aria-pressed", String(this.#codeShown));
    this.#next.hidden = !game.open && isFinished(game);
    setText(this.#next, game.open ? `End round ${game.round}` : `Start round ${game.round + 1}`);
    setText(find("#guess-count"), countOf(game));
    this.#choices.draw(game.open ? game.choices : null);
    setText(find("#guess-status"), statusOf(game));
  }
}

/** @param {Game} game */
function countOf(game) {
  const players = format.plural(game.players, "player", "players");
  return game.open ? `${format.count(game.answered)} of ${players} have answered` : players;
}

/** @param {Game} game */
function statusOf(game) {
  if (game.round === 0) return "What comes next? Join with the link or the QR code.";
  const result = lastResult(game);
  if (!result) return game.choices ? "" : "Type the next character on your phone.";
  return result.answers === 0 ? "Nobody has answered." : "";
}
