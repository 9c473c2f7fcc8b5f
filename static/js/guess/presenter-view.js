/** The presenter's part of the page: the rounds, the link for players, and the full screen. */

import * as api from "../net/api.js";
import { find, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { FullScreenLayout } from "../ui/full-screen.js";
import { toast } from "../ui/toasts.js";
import { ChoiceButtons } from "./choice-buttons.js";
import { isFinished, lastResult } from "./reducers.js";

/** A press so soon after a round has begun or ended was meant for the button as it was before. */
const HOLD_MS = 1000;

export class PresenterView {
  #store;
  #id;
  #key;
  #next = find("#guess-next");
  #showCode = find("#guess-show-code");
  #choices = new ChoiceButtons(null);
  #codeShown = false;
  #busy = false;
  /** Whether a round has just begun or ended. */
  #held = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #holdTimer;
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
    /** @type {boolean | undefined} */
    let known;
    store.watch(
      ({ game }) => [game?.round, game?.open],
      (round, open) => {
        // It was for those who came late: the round, or its result, needs the space.
        this.#codeShown = round === 0;
        if (known !== undefined) this.#hold();
        known = open;
      },
    );
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

  /** Ignore for a moment what would start or end a round. */
  #hold() {
    this.#held = true;
    clearTimeout(this.#holdTimer);
    this.#holdTimer = setTimeout(() => {
      this.#held = false;
      this.#draw();
    }, HOLD_MS);
  }

  /** Start the next round, or end the one that is open. */
  async #goOn() {
    const { game, over } = this.#store.get();
    if (!game || over !== null || this.#busy || this.#held) return;
    if (!game.open && isFinished(game)) return;
    const request = game.open
      ? api.endRound(this.#id, this.#key, game.round)
      : api.startRound(this.#id, this.#key, game.round + 1);
    this.#busy = true;
    try {
      await request;
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
    const isOver = over !== null;
    find("#guess-join").hidden = isOver || !this.#codeShown;
    for (const part of ["#guess-count", "#guess-next", "#guess-show-code", "#guess-end"]) {
      const element = document.querySelector(part);
      if (element instanceof HTMLElement) element.hidden = isOver;
    }
    this.#showCode.setAttribute("aria-pressed", String(this.#codeShown));
    // Its place stays empty: no other button comes to where one has just pressed.
    this.#next.toggleAttribute("data-done", !game.open && isFinished(game));
    // Not `disabled`: the focus must stay.
    this.#next.setAttribute("aria-disabled", String(this.#held));
    setText(this.#next, game.open ? `End round ${game.round}` : `Start round ${game.round + 1}`);
    setText(find("#guess-count"), countOf(game));
    this.#choices.draw(game.open && !isOver ? game.choices : null);
    setText(find("#guess-status"), isOver ? "" : statusOf(game));
  }
}

/** @param {Game} game */
function countOf(game) {
  if (!game.open) return format.plural(game.players, "player", "players");
  const players = format.plural(game.players, "player has", "players have");
  return `${format.count(game.answered)} of ${players} answered`;
}

/** @param {Game} game */
function statusOf(game) {
  if (game.round === 0) return "What comes next? Join with the link or the QR code.";
  const result = lastResult(game);
  if (!result) return game.choices ? "" : "Type the next character on your phone.";
  return result.answers === 0 ? "Nobody has answered." : "";
}
