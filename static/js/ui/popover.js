/** A panel attached to a button. It closes on Escape, on a click elsewhere, or without focus. */

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} panel
 * @param {() => void} [onOpen]
 * @returns {{close: () => void, isOpen: () => boolean}}
 */
export function popover(button, panel, onOpen = () => {}) {
  const isOpen = () => !panel.hidden;
  const inPanel = (/** @type {EventTarget | null} */ target) =>
    target instanceof Node && panel.contains(target);
  const onButton = (/** @type {EventTarget | null} */ target) =>
    target instanceof Node && button.contains(target);

  /** @param {boolean} open */
  function set(open) {
    if (open === isOpen()) return;
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) {
      onOpen();
      document.addEventListener("pointerdown", outside);
      document.addEventListener("keydown", unfocused, { capture: true });
    } else {
      document.removeEventListener("pointerdown", outside);
      document.removeEventListener("keydown", unfocused, { capture: true });
      if (inPanel(document.activeElement)) button.focus();
    }
  }

  /** @param {PointerEvent} event */
  function outside({ target }) {
    if (!inPanel(target) && !onButton(target)) set(false);
  }

  /** Escape while nothing has the focus, because a shortcut has taken it from a clicked button. */
  function unfocused(/** @type {KeyboardEvent} */ event) {
    const focused = document.activeElement?.closest("main, body");
    if (event.key !== "Escape" || focused !== document.activeElement) return;
    event.stopPropagation();
    set(false);
  }

  panel.tabIndex = -1; // it keeps the focus when a button in it loses it
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => set(!isOpen()));
  for (const element of [button, panel]) {
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !isOpen()) return;
      event.stopPropagation();
      event.preventDefault(); // a dialog around the panel stays open
      set(false);
      button.focus();
    });
  }
  panel.addEventListener("focusout", ({ relatedTarget }) => {
    if (relatedTarget && !inPanel(relatedTarget) && relatedTarget !== button) set(false);
  });
  return { close: () => set(false), isOpen };
}
