/**
 * A text of which each character has a look of its own, and one is selected: by the pointer, by a
 * click, or with the arrow keys.
 */

import { el } from "../../lib/dom.js";
import { languageOf } from "../../standalone/characters.js";

const KEYS = { ArrowLeft: -1, ArrowRight: 1 };

export class Strip {
  #text;
  #on;
  /** @type {HTMLElement[]} */
  #spans = [];
  /** @type {string | null} */
  #shown = null;
  /** @type {number | null} */
  #marked = null;

  /**
   * @param {HTMLElement} host takes the focus; the first paragraph in it gets the text.
   * @param {Object} on
   * @param {(index: number | null) => void} on.hover
   * @param {(index: number, byKey: boolean) => void} on.select
   * @param {(index: number) => void} [on.extend] called instead of `select` for a key with Shift.
   */
  constructor(host, on) {
    this.#text = /** @type {HTMLElement} */ (host.querySelector("p"));
    this.#on = on;
    host.addEventListener("pointerover", ({ target, pointerType }) => {
      // A finger selects; what is below it is not looked at.
      if (pointerType !== "touch") on.hover(Strip.indexOf(target));
    });
    host.addEventListener("pointerleave", () => on.hover(null));
    host.addEventListener("click", ({ target }) => {
      const index = Strip.indexOf(target);
      if (index !== null) on.select(index, false);
    });
    host.addEventListener("keydown", (event) => this.#key(event));
  }

  /** The index of the character that is an event's target. @param {EventTarget | null} target */
  static indexOf(target) {
    const index = target instanceof HTMLElement ? target.dataset.i : undefined;
    return index === undefined ? null : Number(index);
  }

  /**
   * Show a text. Only the characters that have changed are drawn.
   *
   * @param {string[]} characters
   * @param {(index: number) => string} lookOf the classes of a character.
   */
  show(characters, lookOf) {
    const text = characters.join("");
    if (text !== this.#shown || characters.length !== this.#spans.length) {
      this.#shown = text;
      this.#marked = null;
      this.#spans = characters.map((character, i) => {
        const span = el("span", { text: character });
        span.dataset.i = String(i);
        return span;
      });
      this.#text.lang = languageOf(text);
      this.#text.replaceChildren(...this.#spans);
    }
    characters.forEach((character, i) => {
      const ends = character === "\n" && (characters[i - 1] === "\n" ? "blank-line" : "line-end");
      const classes = [lookOf(i), ends, i === this.#marked && "chosen"];
      const look = classes.filter(Boolean).join(" ");
      if (this.#spans[i].className !== look) this.#spans[i].className = look;
    });
  }

  /** Mark a character as the selected one. @param {number | null} index */
  mark(index) {
    if (index === this.#marked) return;
    this.#span(this.#marked)?.classList.remove("chosen");
    this.#marked = index;
    this.#span(index)?.classList.add("chosen");
  }

  /** @param {number | null} index */
  #span = (index) => (index === null ? undefined : this.#spans[index]);

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || !this.#spans.length) return;
    const last = this.#spans.length - 1;
    const by = KEYS[/** @type {keyof typeof KEYS} */ (event.key)];
    const ends = { Home: 0, End: last }[event.key];
    if (by === undefined && ends === undefined) return;
    event.preventDefault();
    const next = ends ?? (this.#marked ?? last) + /** @type {number} */ (by);
    const index = Math.min(Math.max(next, 0), last);
    this.#on.hover(null);
    if (event.shiftKey && this.#on.extend) this.#on.extend(index);
    else this.#on.select(index, true);
    this.#spans[index].scrollIntoView({ block: "nearest" });
  }
}
