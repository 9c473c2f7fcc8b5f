/**
 * Which element owns a key: the focused one, if the keyboard has moved the focus there. An element
 * that was merely clicked shows no focus ring, and leaves the keys to the page.
 */

let byPointer = false;
/** @type {EventTarget | null} */
let clicked = null; // the focused element, if the pointer has moved the focus there

document.addEventListener("pointerdown", () => (byPointer = true), { capture: true });
document.addEventListener("keydown", () => (byPointer = false), { capture: true });
document.addEventListener("focusin", ({ target }) => (clicked = byPointer ? target : null));

/**
 * Whether the pointer, and not the keyboard, has moved the focus to this element.
 *
 * @param {EventTarget | null} element
 */
export const isClicked = (element) => element !== null && element === clicked;

/** Give up the focus of a clicked element, so that no focus ring appears when a key is pressed. */
export function releaseClicked() {
  if (!(clicked instanceof HTMLElement) || clicked !== document.activeElement) return;
  // Within a drawer or a popover the focus stays there, so that Escape still closes it.
  /** @type {HTMLElement | null | undefined} */
  const around =
    clicked.closest("dialog")?.querySelector("[tabindex='-1']") ??
    clicked.parentElement?.closest("[tabindex='-1']");
  if (around) around.focus({ preventScroll: true });
  else clicked.blur();
}
