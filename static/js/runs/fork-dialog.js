/** The dialog that forks a run: from which checkpoint, and with which changes. */

import * as api from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { RunSpecForm } from "./run-spec-form.js";
import { FORMS } from "./run-spec.js";

/** The update from which a fork is compared with its parent: shortly before the fork. */
export const updateBeforeFork = ({ forked_from: { update } }) => Math.floor(update * 0.8);

/** The comparison of a fork with its parent. */
export const compareUrl = (fork, parent) =>
  `/compare?runs=${parent.id},${fork.id}&range=${updateBeforeFork(fork)}-`;

export class ForkDialog {
  #dialog = find("#fork-dialog");
  #form = find("#fork-form");
  #fields = this.#form.elements;
  #settings = new RunSpecForm(this.#form, FORMS.fork);
  #start = find("#fork-start");
  #forked;
  #parent = null;
  #checkpoints = [];

  /** @param {(fork: Run, parent: Run) => void} forked called with the new run. */
  constructor(forked) {
    this.#forked = forked;
    for (const button of this.#form.querySelectorAll("[data-close]")) {
      button.addEventListener("click", () => this.#dialog.close());
    }
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#fields.checkpoint.addEventListener("change", () => this.#suggest());
  }

  /**
   * Open the dialog for a run.
   *
   * @param {Run} run
   * @param {Checkpoint[]} checkpoints of the run, oldest first.
   * @param {string} [checkpoint] the one to select.
   */
  open(run, checkpoints, checkpoint = "latest") {
    this.#parent = run;
    this.#checkpoints = checkpoints.filter(({ damaged }) => !damaged).reverse();
    setText(find("#fork-parent"), `“${run.name}”`);
    const latest = `latest, update ${format.count(run.update)}`;
    this.#fields.checkpoint.replaceChildren(
      el("option", { value: "latest", text: latest }),
      ...this.#checkpoints.map((each) =>
        el("option", { value: each.id, text: checkpointLabel(each) }),
      ),
    );
    this.#fields.checkpoint.value = checkpoint;
    this.#fill(run.spec);
    this.#suggest();
    this.#showProblem(null);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#fields.learning_rate.focus();
    this.#fields.learning_rate.select();
  }

  #fill(spec) {
    this.#settings.fill(spec);
    this.#fields.paused.checked = false;
    find("#fork-dropout").closest(".field").hidden = spec.layers === 1;
    find("#fork-more").open = false;
  }

  /** Suggest a name and a number of updates for the chosen checkpoint. */
  #suggest() {
    const fields = this.#fields;
    const at = this.#checkpointUpdate();
    const last = this.#parent.spec.max_updates;
    fields.name.value = "";
    fields.name.placeholder = `${this.#parent.name}, from ${format.count(at)}`;
    fields.max_updates.value = String(last === null ? at + 100_000 : last > at ? last : at + last);
  }

  #checkpointUpdate() {
    const chosen = this.#checkpoints.find(({ id }) => id === this.#fields.checkpoint.value);
    return (chosen ?? this.#parent).update;
  }

  /** The fields that differ from the parent's spec. */
  #changes() {
    const before = this.#parent.spec;
    const differs = ([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name]);
    const paused = this.#fields.paused.checked && { paused: true };
    return Object.fromEntries(Object.entries({ ...this.#settings.spec(), ...paused }).filter(differs));
  }

  async #submit() {
    if (this.#start.disabled) return;
    this.#start.disabled = true;
    this.#showProblem(null);
    try {
      const parent = this.#parent;
      const fork = await api.forkRun(parent.id, this.#fields.checkpoint.value, this.#changes());
      this.#dialog.close();
      this.#forked(fork, parent);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      this.#showProblem(error);
    } finally {
      this.#start.disabled = false;
    }
  }

  #showProblem(problem) {
    for (const slot of this.#form.querySelectorAll(".field-error")) setText(slot, "");
    const unplaced = (problem?.fields ?? []).filter(({ field, message }) => {
      const slot = this.#form.querySelector(`#fork-error-${CSS.escape(field.split(".").at(-1))}`);
      if (!slot) return true;
      setText(slot, message);
      slot.closest("details")?.setAttribute("open", "");
      slot.closest(".field").querySelector("input, select").focus();
      return false;
    });
    const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
    const placed = problem?.fields.length && !unplaced.length;
    setText(find("#fork-problem"), problem && !placed ? named || problem.message : "");
  }
}

const checkpointLabel = ({ update, note, automatic }) =>
  [`update ${format.count(update)}`, note, automatic && "saved automatically"]
    .filter(Boolean)
    .join(", ");
