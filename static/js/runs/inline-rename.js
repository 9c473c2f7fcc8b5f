/** Renames a run in place, with undo. */

import * as api from "../net/api.js";
import { el } from "../lib/dom.js";
import { LIMITS } from "../lib/limits.js";
import { toast, UNDO_MS } from "../ui/toasts.js";

/**
 * A text field in place of the name: Enter or leaving the field renames, Escape cancels.
 *
 * @param {Run} run
 * @param {(run: Run) => void} renamed called with the run whenever the server has renamed it.
 * @param {() => void} done called when the caller should remove the field.
 */
export function nameField(run, renamed, done) {
  const input = el("input", {
    class: "run-rename",
    value: run.name,
    maxlength: LIMITS.run_name_characters,
    "aria-label": "New name",
  });
  let open = true; // removing the field also blurs it
  const close = (/** @type {string} */ typed) => {
    if (!open) return;
    open = false;
    const name = typed.trim().replace(/\s+/g, " ");
    if (name && name !== run.name) rename(run, name, renamed);
    done();
  };
  input.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    event.stopPropagation();
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // it would press the button that gets the focus
    close(event.key === "Enter" ? input.value : run.name);
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
 * @param {Run} run
 * @param {string} name
 * @param {(run: Run) => void} renamed
 */
async function rename(run, name, renamed) {
  if (!(await change(run.id, name, renamed))) return;
  toast(`“${run.name}” was renamed to “${name}”.`, {
    label: "Undo",
    run: () => change(run.id, run.name, renamed),
    lastsMs: UNDO_MS,
  });
}

/**
 * @param {string} id
 * @param {string} name
 * @param {(run: Run) => void} renamed
 * @returns {Promise<boolean>} whether the server renamed the run.
 */
async function change(id, name, renamed) {
  try {
    renamed(await api.changeRun(id, { name }));
    return true;
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    toast(error.message);
    return false;
  }
}
