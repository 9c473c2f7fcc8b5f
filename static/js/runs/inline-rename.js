/** Renames a run or a group of runs in place, with undo. */

import { Problem } from "../net/api.js";
import { el } from "../lib/dom.js";
import { LIMITS } from "../lib/limits.js";
import { toast, UNDO_MS } from "../ui/toasts.js";

/**
 * @template {{id: string, name: string}} Named
 * @typedef {(id: string, change: {name: string}) => Promise<Named>} Change a request to the server.
 */

/**
 * A text field in place of the name: Enter or leaving the field renames, Escape cancels.
 *
 * @template {{id: string, name: string}} Named
 * @param {{id: string, name: string}} thing a run or a group.
 * @param {Change<Named>} change
 * @param {(thing: Named) => void} renamed called with it whenever the server has renamed it.
 * @param {() => void} done called when the caller should remove the field.
 */
export function nameField(thing, change, renamed, done) {
  const input = el("input", {
    class: "run-rename",
    value: thing.name,
    maxlength: LIMITS.run_name_characters,
    "aria-label": "New name",
  });
  let open = true; // removing the field also blurs it
  const close = (/** @type {string} */ typed) => {
    if (!open) return;
    open = false;
    const name = typed.trim().replace(/\s+/g, " ");
    if (name && name !== thing.name) rename(thing, name, change, renamed);
    done();
  };
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // it would press the button that gets the focus
    close(event.key === "Enter" ? input.value : thing.name);
  });
  input.addEventListener("blur", () => close(input.value));
  // The caller inserts the field into the page after this function returns.
  queueMicrotask(() => {
    input.focus();
    input.select();
  });
  return input;
}

/**
 * @template {{id: string, name: string}} Named
 * @param {{id: string, name: string}} thing
 * @param {string} name
 * @param {Change<Named>} change
 * @param {(thing: Named) => void} renamed
 */
async function rename(thing, name, change, renamed) {
  if (!(await request(thing.id, name, change, renamed))) return;
  toast(`“${thing.name}” was renamed to “${name}”.`, {
    label: "Undo",
    run: () => request(thing.id, thing.name, change, renamed),
    lastsMs: UNDO_MS,
  });
}

/**
 * @template {{id: string, name: string}} Named
 * @param {string} id
 * @param {string} name
 * @param {Change<Named>} change
 * @param {(thing: Named) => void} renamed
 * @returns {Promise<boolean>} whether the server has changed the name.
 */
async function request(id, name, change, renamed) {
  try {
    renamed(await change(id, { name }));
    return true;
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    toast(error.message);
    return false;
  }
}
