/** The text on the page, tinted by surprisal. */

import { el, find } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { stepOf } from "../ui/tints.js";
import { languageOf } from "./characters.js";

/** Characters on the page at most: a browser becomes slow with more. */
const MAX_SHOWN = 20_000;

/** How close to its end the text must be scrolled to follow the writing, in pixels. */
const NEAR_END_PX = 48;

export class TextView {
  #element = find("#text");
  /** Characters on the page. */
  #shown = 0;
  #removed = el("span", { class: "removed", text: "" });

  /** @param {string} vocabulary */
  constructor(vocabulary) {
    const language = languageOf(vocabulary);
    if (language) this.#element.lang = language;
  }

  clear() {
    this.#element.replaceChildren();
    this.#shown = 0;
  }

  /** Show the text that the network continues. @param {string} prime */
  addPrime(prime) {
    if (prime) this.#element.append(el("span", { class: "prime", text: prime }));
    this.#shown += Array.from(prime).length;
  }

  /**
   * Add what the network wrote.
   *
   * @param {{ character: string, bits: number }[]} written
   */
  add(written) {
    const { scrollHeight, scrollTop, clientHeight } = this.#element;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR_END_PX;
    for (const { character, bits } of written) {
      const last = this.#element.lastChild;
      const look = `tint tint-${stepOf(bits)}`;
      // A mark stays in the element of its letter, or it would not be combined with it.
      const joins = last && (last.className === look || /^[\p{M}\u200d]/u.test(character));
      if (joins) last.append(character);
      else this.#element.append(el("span", { class: look, text: character }));
    }
    this.#shown += written.length;
    if (this.#shown > MAX_SHOWN) this.#removeOldest();
    if (follows) this.#element.scrollTop = this.#element.scrollHeight;
  }

  /** @param {boolean} tinted */
  setTinted(tinted) {
    this.#element.classList.toggle("untinted", !tinted);
  }

  #removeOldest() {
    this.#removed.remove();
    while (this.#shown > MAX_SHOWN) {
      this.#shown -= Array.from(this.#element.firstChild.textContent).length;
      this.#element.firstChild.remove();
    }
    this.#removed.textContent = `The last ${format.count(MAX_SHOWN)} characters:`;
    this.#element.prepend(this.#removed);
  }
}
