/** The buttons of the four choices. */

import { find, setText } from "../lib/dom.js";
import { buttonLabel } from "./characters.js";

export class ChoiceButtons {
  #box = find("#guess-choices");
  #buttons = /** @type {HTMLButtonElement[]} */ ([...document.querySelectorAll(".guess-choice")]);

  /** @param {((index: number) => void) | null} choose null: they are only looked at. */
  constructor(choose) {
    this.#buttons.forEach((button, index) => {
      button.disabled = choose === null;
      if (choose) button.addEventListener("click", () => choose(index));
    });
  }

  /**
   * @param {string[] | null} choices null: none are shown.
   * @param {string | null} [chosen]
   * @param {boolean} [locked]
   */
  draw(choices, chosen = null, locked = false) {
    this.#box.hidden = choices === null;
    if (choices === null) return;
    this.#buttons.forEach((button, index) => {
      const character = choices[index];
      button.hidden = character === undefined;
      if (character === undefined) return;
      setText(find(".guess-character", button), buttonLabel(character));
      button.setAttribute("aria-pressed", String(character === chosen));
      // Not `disabled`: the focus must stay.
      button.setAttribute("aria-disabled", String(locked));
    });
  }
}
