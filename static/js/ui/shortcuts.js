/** The keyboard: one key a deed, never while the reader types or a dialog asks something. */

import { find } from "../lib/dom.js";

/** @param {Object<string, (event: KeyboardEvent) => void>} actions by the key's name. */
export function mountShortcuts(actions) {
  const help = find("#keys");
  const showHelp = () => (help.open ? help.close() : help.showModal());
  find("#help").addEventListener("click", showHelp);
  const allActions = { ...actions, "?": showHelp };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = allActions[event.key];
    if (!action || takesKey(event.target, event.key)) return;
    const modal = document.querySelector("dialog:modal");
    if (modal && !(modal === help && event.key === "?")) return;
    event.preventDefault();
    if (!event.repeat || event.key.startsWith("Arrow")) action(event);
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
