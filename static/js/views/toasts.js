/** Short notes at the foot of the page, some with a deed to undo or follow. */

import { el, find, icon } from "../dom.js";

const SHOWN_MS = 6000;
const LIMIT_TOASTS = 3;

/**
 * @param {string} text
 * @param {{label?: string, href?: string, run?: () => void, onClose?: () => void}} [action] a button
 *   (`run`) or a link (`href`); `onClose` is called when the note goes without `run`.
 * @returns {() => void} takes the note away.
 */
export function toast(text, { label, href, run, onClose } = {}) {
  const host = find("#toasts");
  let open = true;
  let timer = null;
  const close = (done = false) => {
    if (!open) return;
    open = false;
    clearTimeout(timer);
    note.remove();
    if (!done) onClose?.();
  };
  const act = () => {
    close(true);
    run();
  };
  const note = el("div", { class: "toast", role: "status" }, el("span", { text }));
  if (href) note.append(el("a", { class: "button button-small", href, download: true, text: label }));
  if (run) {
    note.append(
      el("button", { type: "button", class: "button button-small", text: label, on: { click: act } }),
    );
  }
  note.append(
    el(
      "button",
      {
        type: "button",
        class: "button button-small button-square button-plain",
        "aria-label": "Dismiss",
        on: { click: () => close() },
      },
      icon("close"),
    ),
  );
  host.append(note);
  while (host.children.length > LIMIT_TOASTS) host.firstElementChild.querySelector("button:last-child").click();
  // Held for as long as the reader is at it.
  const arm = () => {
    clearTimeout(timer);
    timer = setTimeout(() => close(), SHOWN_MS);
  };
  note.addEventListener("pointerenter", () => clearTimeout(timer));
  note.addEventListener("pointerleave", arm);
  note.addEventListener("focusin", () => clearTimeout(timer));
  note.addEventListener("focusout", arm);
  arm();
  return () => close(true);
}
