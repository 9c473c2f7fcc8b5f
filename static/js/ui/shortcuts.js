/** Keyboard shortcuts: one key per action; inactive while the user types or a dialog is open. */

import { find } from "../lib/dom.js";
import { isClicked, releaseClicked } from "../lib/focus.js";

const ARROWS = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"];
/** Of inputs without text. */
/** @type {Record<string, string[]>} */
const KEYS_OF_INPUTS = {
  radio: [" ", ...ARROWS],
  checkbox: [" "],
  range: [...ARROWS, "Home", "End"],
};

/** @type {string[]} */
let disabled = [];

/** Turn these shortcuts off, and all others on. @param {string[]} keys */
export function disableShortcuts(keys) {
  disabled = keys;
}

/** @param {Record<string, (event: KeyboardEvent) => void>} actions by key name. */
export function mountShortcuts(actions) {
  const help = find("#keys");
  const showHelp = () => (help.open ? help.close() : help.showModal());
  find("#help").addEventListener("click", showHelp);
  /** @type {typeof actions} */
  const allActions = { ...actions, "?": showHelp };

  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const action = allActions[event.key];
    if (!action || disabled.includes(event.key) || takesKey(event.target, event.key)) return;
    const modal = document.querySelector("dialog:modal");
    if (modal && !(modal === help && event.key === "?")) return;
    event.preventDefault();
    releaseClicked();
    if (!event.repeat || event.key.startsWith("Arrow")) action(event);
  });
}

/**
 * Whether the focused element uses this key itself. A clicked one uses only the keys of a text.
 *
 * @param {any} target
 * @param {string} key
 */
function takesKey(target, key) {
  const input = target.closest("input");
  const keys = KEYS_OF_INPUTS[input?.type];
  if (target.closest("textarea, select, [contenteditable]") || (input && !keys)) return true;
  // A row of a popover acts on its own run or checkpoint, not on the one that is watched.
  if (key === " " && target.closest(".popover button, .popover summary")) return true;
  if (isClicked(target)) return false;
  return keys ? keys.includes(key) : key === " " && target.closest("button, summary") !== null;
}
