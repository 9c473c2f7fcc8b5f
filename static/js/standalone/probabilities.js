/** The likeliest next characters as bars. */

import { el, find, setText } from "../lib/dom.js";
import { characterLabel } from "./characters.js";

export const ROWS = 9;

/** 0.4137 -> "41%"; shares under a half percent are told from none. @param {number} share */
const percent = (share) =>
  share > 0 && share < 0.005 ? "<1%" : `${Math.round(share * 100)}%`;

export class Probabilities {
  #rows;

  /** @param {number} characters the size of the vocabulary */
  constructor(characters) {
    this.#rows = Array.from({ length: Math.min(ROWS, characters) }, () => {
      const [name, bar, share] = [el("bdi"), el("span", { class: "bar" }), el("span")];
      share.className = "share";
      const row = el("li", {}, name, bar, share);
      return { row, name, bar, share };
    });
    find("#probabilities").replaceChildren(...this.#rows.map(({ row }) => row));
  }

  /** @param {{ character: string, probability: number }[]} likeliest as many as there are rows */
  show(likeliest) {
    likeliest.forEach(({ character, probability }, i) => {
      const { name, bar, share } = this.#rows[i];
      const label = characterLabel(character);
      setText(name, label);
      name.className = Array.from(label).length > 2 ? "named" : "";
      bar.style.setProperty("--share", probability.toFixed(4));
      setText(share, percent(probability));
    });
  }
}
