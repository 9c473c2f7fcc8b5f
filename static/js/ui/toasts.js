/** Toasts: short messages at the bottom of the page, some with a button or a link. */

import { el, find, icon } from "../lib/dom.js";

/** The time in which a deletion or a new name can be undone. */
export const UNDO_MS = 10_000;

const SHOWN_MS = 6000;
const LIMIT_TOASTS = 2; // as many as the page shows; see overlays.css
const LIMIT_LASTING = 6; // toasts with an action that later ones must not push out

/**
 * @typedef {Object} ToastOptions
 * @property {string} [label] of a link (`href`) or a button (`run`).
 * @property {string} [href]
 * @property {() => void} [run]
 * @property {() => void} [onClose] called when the toast disappears without `run`.
 * @property {number} [lastsMs] longer than usual; newer toasts do not push it out.
 * @property {boolean} [hurrah] a highlighted toast; the live region announces it instead.
 */

/** @type {Toast[]} */
const open = []; // oldest first

/**
 * @param {string} text
 * @param {ToastOptions} [options]
 * @returns {{close: () => void, remove: () => boolean}} `remove` closes the toast without calling
 *   `onClose`, and returns false if it was closed already.
 */
export function toast(text, options = {}) {
  const added = new Toast(text, options);
  open.push(added);
  const lasting = open.filter((each) => each.isLasting);
  const brief = open.filter((each) => !each.isLasting);
  if (lasting.length > LIMIT_LASTING) lasting[0].close();
  if (brief.length > LIMIT_TOASTS) brief[0].close();
  return added;
}

/**
 * A message that names its run, since a toast outlives the view of the run.
 *
 * @param {{name: string} | null | undefined} run
 * @param {string} text
 */
export const aboutRun = (run, text) => (run ? `“${run.name}”: ${text}` : text);

class Toast {
  #options;
  #element;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  /**
   * @param {string} text
   * @param {ToastOptions} options
   */
  constructor(text, options) {
    this.#options = options;
    this.#element = el(
      "div",
      options.hurrah ? { class: "toast toast-hurrah", "aria-live": "off" } : { class: "toast" },
      el("span", { text }),
      ...this.#actionButton(),
      this.#closeButton(),
    );
    // It stays while the pointer or the focus is on it.
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
    return this.#options.lastsMs !== undefined;
  }

  /** Close the toast; its action is no longer available. */
  close() {
    if (this.remove()) this.#options.onClose?.();
  }

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
    this.#timer = setTimeout(() => this.close(), this.#options.lastsMs ?? SHOWN_MS);
  }

  #actionButton() {
    const { label, href, run } = this.#options;
    const look = { class: "button button-small", text: label };
    if (href) return [el("a", { ...look, href, download: true })];
    if (!run) return [];
    const click = () => this.remove() && run();
    return [el("button", { ...look, type: "button", on: { click } })];
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
