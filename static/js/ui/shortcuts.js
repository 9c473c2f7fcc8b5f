/** Keyboard shortcuts: one key per action; inactive while the user types or a dialog is open. */

import { find } from "../lib/dom.js";

/** @param {Record<string, (event: KeyboardEvent) => void>} actions by key name. */
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

/** Whether the focused element uses this key itself. */
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
