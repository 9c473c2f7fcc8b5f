/** Short notes at the foot of the page, some with a deed to undo or follow. */

import { el, find, icon } from "../lib/dom.js";

const SHOWN_MS = 6000;
const LIMIT_TOASTS = 3;
const LIMIT_LASTING = 6; // with a deed that must not be lost to others that come after it

const open = []; // the notes shown, oldest first

/**
 * @param {string} text
 * @param {Object} [action]
 * @param {string} [action.label] of a link (`href`) or a button (`run`).
 * @param {string} [action.href]
 * @param {() => void} [action.run]
 * @param {() => void} [action.onClose] called when the note goes without `run`.
 * @param {number} [action.lastsMs] longer than usual, and not given up for newer notes.
 * @param {boolean} [action.hurrah] looks the part, and is left to the announcer to say aloud.
 * @returns {{close: () => void, remove: () => boolean}} `remove` takes the note away and calls nobody.
 */
export function toast(text, action = {}) {
  const note = new Toast(text, action);
  open.push(note);
  const lasting = open.filter((each) => each.isLasting);
  const brief = open.filter((each) => !each.isLasting);
  if (lasting.length > LIMIT_LASTING) lasting[0].close();
  if (brief.length > LIMIT_TOASTS) brief[0].close();
  return note;
}

class Toast {
  #action;
  #element;
  #timer = null;

  constructor(text, action) {
    this.#action = action;
    this.#element = el(
      "div",
      action.hurrah ? { class: "toast toast-hurrah", "aria-live": "off" } : { class: "toast" },
      el("span", { text }),
      ...this.#actionButton(),
      this.#closeButton(),
    );
    // It stays for as long as the reader is at it.
    for (const event of ["pointerenter", "focusin"]) {
      this.#element.addEventListener(event, () => clearTimeout(this.#timer));
    }
    for (const event of ["pointerleave", "focusout"]) {
      this.#element.addEventListener(event, () => this.#startTimer());
    }
    find("#toasts").append(this.#element);
    this.#startTimer();
  }

  get isLasting() {
    return this.#action.lastsMs !== undefined;
  }

  /** Take the note away, and with it the chance to undo. */
  close() {
    if (this.remove()) this.#action.onClose?.();
  }

  /** Take the note away as if it had never been; false when it was gone already. */
  remove() {
    const index = open.indexOf(this);
    if (index < 0) return false;
    open.splice(index, 1);
    clearTimeout(this.#timer);
    this.#element.remove();
    return true;
  }

  #startTimer() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), this.#action.lastsMs ?? SHOWN_MS);
  }

  #actionButton() {
    const { label, href, run } = this.#action;
    const look = { class: "button button-small", text: label };
    if (href) return [el("a", { ...look, href, download: true })];
    const click = () => this.remove() && run();
    return run ? [el("button", { ...look, type: "button", on: { click } })] : [];
  }

  #closeButton() {
    return el(
      "button",
      {
        type: "button",
        class: "button button-small button-square button-plain",
        "aria-label": "Dismiss",
        on: { click: () => this.close() },
      },
      icon("close"),
    );
  }
}
