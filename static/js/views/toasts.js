/** Short notes at the foot of the page, some with a deed to undo or follow. */

import { el, find, icon } from "../dom.js";

const SHOWN_MS = 6000;
const LIMIT_TOASTS = 3;

const open = []; // the notes shown, oldest first

/**
 * @param {string} text
 * @param {{label?: string, href?: string, run?: () => void, onClose?: () => void,
 *   hurrah?: boolean}} [action] a link
 *   (`href`) or a button (`run`); `onClose` is called when the note goes without `run`. A `hurrah`
 *   looks the part, and is left to the announcer to say aloud.
 * @returns {{close: () => void}}
 */
export function toast(text, action = {}) {
  const note = new Toast(text, action);
  open.push(note);
  if (open.length > LIMIT_TOASTS) open[0].close();
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
      action.hurrah ? { class: "toast toast-hurrah" } : { class: "toast", role: "status" },
      el("span", { text }),
      ...this.#deed(),
      this.#dismissal(),
    );
    // It stays for as long as the reader is at it.
    for (const event of ["pointerenter", "focusin"]) {
      this.#element.addEventListener(event, () => clearTimeout(this.#timer));
    }
    for (const event of ["pointerleave", "focusout"]) {
      this.#element.addEventListener(event, () => this.#arm());
    }
    find("#toasts").append(this.#element);
    this.#arm();
  }

  /** Take the note away, and with it the chance to undo. */
  close() {
    if (this.#leave()) this.#action.onClose?.();
  }

  #leave() {
    const index = open.indexOf(this);
    if (index < 0) return false;
    open.splice(index, 1);
    clearTimeout(this.#timer);
    this.#element.remove();
    return true;
  }

  #arm() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), SHOWN_MS);
  }

  #deed() {
    const { label, href, run } = this.#action;
    const look = { class: "button button-small", text: label };
    if (href) return [el("a", { ...look, href, download: true })];
    const click = () => this.#leave() && run();
    return run ? [el("button", { ...look, type: "button", on: { click } })] : [];
  }

  #dismissal() {
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
