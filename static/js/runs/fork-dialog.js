/** The dialog that forks a run: the checkpoint, and the changes of the spec. */

import * as api from "../net/api.js";
import { el, find, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { FieldErrors } from "../ui/field-errors.js";
import { RunSpecForm } from "../spec/run-spec-form.js";
import { FORMS } from "../spec/run-spec.js";

/** The updates suggested for a fork of a run without a limit. */
const UPDATES_WITHOUT_LIMIT = 100_000;

/**
 * The first update in the comparison of a fork with its parent, shortly before the fork.
 *
 * @param {Run} fork
 */
export const updateBeforeFork = ({ forked_from: { update } }) => Math.floor(update * 0.8);

/**
 * The address of the comparison of a fork with its parent.
 *
 * @param {Run} fork
 * @param {Run} parent
 */
export const compareUrl = (fork, parent) =>
  rooted(`/compare?runs=${parent.id},${fork.id}&range=${updateBeforeFork(fork)}-`);

export class ForkDialog {
  #dialog = find("#fork-dialog");
  #form = find("#fork-form");
  #fields = this.#form.elements;
  #settings = new RunSpecForm(this.#form, FORMS.fork);
  #errors = new FieldErrors(this.#form, "fork-");
  #start = find("#fork-start");
  #forked;
  /** @type {Run | null} */
  #parent = null;
  /** @type {Checkpoint[]} */
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
   * @param {string} [checkpoint] the id of the one to select, or "latest".
   * @param {Partial<RunSpec>} [changes] of the spec to suggest.
   */
  open(run, checkpoints, checkpoint = "latest", changes = {}) {
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
    this.#settings.fill(changes);
    this.#suggest();
    this.#showProblem(null);
    if (!this.#dialog.open) this.#dialog.showModal();
    this.#fields.learning_rate.focus();
    this.#fields.learning_rate.select();
  }

  /**
   * Open the dialog for the newest checkpoint from before an update, with half the learning rate.
   *
   * @param {Run} run
   * @param {number} update
   * @returns {Promise<boolean>} false if there is no such checkpoint.
   */
  async openBefore(run, update) {
    // The page's own list may lack an automatic one that the server has kept for this.
    const checkpoints = (await api.nullOnProblem(api.listCheckpoints(run.id))) ?? [];
    const before = checkpoints.findLast((each) => each.update < update && !each.damaged);
    if (!before) return false;
    this.open(run, checkpoints, before.id, { learning_rate: run.spec.learning_rate / 2 });
    return true;
  }

  /** @param {RunSpec} spec of the parent. */
  #fill(spec) {
    this.#settings.fill(spec);
    for (const field of this.#form.querySelectorAll("input[type=number]")) {
      field.placeholder = field.value && `${field.value}, as before`; // without a value
    }
    this.#fields.paused.checked = false;
    find("#fork-dropout").closest(".field").hidden = spec.layers === 1;
    find("#fork-more").open = false;
  }

  /** Suggest a name and a number of updates for the selected checkpoint. */
  #suggest() {
    const fields = this.#fields;
    const start = this.#checkpointUpdate();
    fields.name.value = "";
    fields.name.placeholder = `${this.#parent.name}, from ${format.count(start)}`;
    fields.max_updates.value = String(lastUpdate(start, this.#parent.spec.max_updates));
  }

  /** The update of the selected checkpoint; the latest one is at the run's own update. */
  #checkpointUpdate() {
    const selected = this.#checkpoints.find(({ id }) => id === this.#fields.checkpoint.value);
    return (selected ?? this.#parent).update;
  }

  /** The fields that differ from the parent's spec. */
  #changes() {
    const before = this.#parent.spec;
    const paused = this.#fields.paused.checked ? { paused: true } : {};
    const entries = Object.entries({ ...this.#settings.spec(), ...paused });
    return Object.fromEntries(
      entries.filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before[name])),
    );
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

  /**
   * Show each message at its field, and the others below the form.
   *
   * @param {api.Problem | null} problem null clears the messages.
   */
  #showProblem(problem) {
    const { unplaced, first } = this.#errors.show(problem?.fields ?? []);
    first?.focus();
    const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
    const placed = problem?.fields.length && !unplaced.length;
    setText(find("#fork-problem"), problem && !placed ? named || problem.message : "");
  }
}

/**
 * The fork ends where its parent ends. A fork that starts there gets as many updates again.
 *
 * @param {number} start the update of the checkpoint.
 * @param {number | null} limit the parent's number of updates; null means no limit.
 */
function lastUpdate(start, limit) {
  if (limit === null) return start + UPDATES_WITHOUT_LIMIT;
  return limit > start ? limit : start + limit;
}

/** @param {Checkpoint} checkpoint */
const checkpointLabel = ({ update, note, automatic }) =>
  [`update ${format.count(update)}`, note, automatic && "saved automatically"]
    .filter(Boolean)
    .join(", ");
