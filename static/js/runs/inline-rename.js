/** A run's name, written over where it stands, and taken back if that was a slip. */

import * as api from "../net/api.js";
import { el } from "../lib/dom.js";
import { toast } from "../ui/toasts.js";

/**
 * A field in place of a name: Enter or leaving it renames, Escape does not.
 *
 * @param {Object} run
 * @param {(run: Object) => void} renamed called with the run each time that the server renamed it.
 * @param {() => void} done called when the field is no longer needed; the caller takes it away.
 */
export function nameField(run, renamed, done) {
  const input = el("input", {
    class: "run-rename",
    value: run.name,
    maxlength: 120,
    "aria-label": "New name",
  });
  let open = true; // taking the field away also blurs it
  const close = (typed) => {
    if (!open) return;
    open = false;
    const name = typed.trim().replace(/\s+/g, " ");
    if (name && name !== run.name) rename(run, name, renamed);
    done();
  };
  input.addEventListener("keydown", (event) => {
    event.stopPropagation();
    if (!["Enter", "Escape"].includes(event.key)) return;
    event.preventDefault(); // it would press the button that gets the focus
    close(event.key === "Enter" ? input.value : run.name);
  });
  input.addEventListener("blur", () => close(input.value));
  // It is in the page only after the caller has put it there.
  queueMicrotask(() => {
    input.focus();
    input.select();
  });
  return input;
}

async function rename(run, name, renamed) {
  if (!(await change(run.id, name, renamed))) return;
  toast(`“${run.name}” is now called “${name}”.`, {
    label: "Undo",
    run: () => change(run.id, run.name, renamed),
    lastsMs: 10_000,
  });
}

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
