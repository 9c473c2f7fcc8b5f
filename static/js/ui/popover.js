/** A panel that hangs from its button: opens on click, closes on Escape, or a click elsewhere. */

/**
 * @param {HTMLElement} button
 * @param {HTMLElement} panel
 * @param {() => void} [onOpen]
 * @returns {{close: () => void, isOpen: () => boolean}}
 */
export function popover(button, panel, onOpen = () => {}) {
  const isOpen = () => !panel.hidden;

  function set(open) {
    if (open === isOpen()) return;
    panel.hidden = !open;
    button.setAttribute("aria-expanded", String(open));
    if (open) {
      onOpen();
      document.addEventListener("pointerdown", outside);
    } else {
      document.removeEventListener("pointerdown", outside);
      if (panel.contains(document.activeElement)) button.focus();
    }
  }

  function outside(event) {
    if (!panel.contains(event.target) && !button.contains(event.target)) set(false);
  }

  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", () => set(!isOpen()));
  for (const element of [button, panel]) {
    element.addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !isOpen()) return;
      event.stopPropagation();
      event.preventDefault(); // nor does it close the dialog that the panel may be in
      set(false);
      button.focus();
    });
  }
  panel.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !panel.contains(event.relatedTarget)) {
      if (event.relatedTarget !== button) set(false);
    }
  });
  return { close: () => set(false), isOpen };
}
