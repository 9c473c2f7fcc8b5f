/** The keyboard: one key a deed, never while the reader types or a dialog asks something. */

import { find } from "../lib/dom.js";

/** @param {Object<string, (event: KeyboardEvent) => void>} deeds by the key's name. */
export function mountKeys(deeds) {
  const help = find("#keys");
  const showHelp = () => (help.open ? help.close() : help.showModal());
  find("#help").addEventListener("click", showHelp);
  const all = { ...deeds, "?": showHelp };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const deed = all[event.key];
    if (!deed || takesKey(event.target, event.key)) return;
    const modal = document.querySelector("dialog:modal");
    if (modal && !(modal === help && event.key === "?")) return;
    event.preventDefault();
    if (!event.repeat || event.key.startsWith("Arrow")) deed(event);
  });
}

/** Whether the focused element has a use of its own for this key. */
function takesKey(target, key) {
  if (target.closest("textarea, select, [contenteditable]")) return true;
  const input = target.closest("input");
  if (input) {
    if (input.type === "radio") return key === " " || key.startsWith("Arrow");
    if (input.type === "checkbox") return key === " ";
    if (input.type === "range") return key.startsWith("Arrow") || key === "Home" || key === "End";
    return true;
  }
  return key === " " && target.closest("button, a, summary") !== null;
}
