/** The checkpoints of the run in view: save, list, download, delete, and fork from one. */

import * as api from "../net/api.js";
import { el, find, focusedElement, icon, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { LIMITS } from "../lib/limits.js";
import { popover } from "../ui/popover.js";
import { aboutRun, toast } from "../ui/toasts.js";

const DTYPE_BYTES = { float32: 4, float64: 8 };

export class Checkpoints {
  #store;
  #undoDelete;
  #forkDialog;
  #button = find("#checkpoint");
  #list = find("#checkpoint-list");
  #panel;
  #pending = false;

  /**
   * @param {WatchStore} store
   * @param {any} undoDelete
   * @param {any} forkDialog
   */
  constructor(store, undoDelete, forkDialog) {
    this.#store = store;
    this.#undoDelete = undoDelete;
    this.#forkDialog = forkDialog;
    this.#button.addEventListener("click", () => this.save());
    this.#panel = popover(find("#checkpoint-open"), find("#checkpoint-panel"), () => this.#fill());
    store.watch(
      (state) => [state.checkpoints, state.runId],
      ({ length }) => {
        setText(find("#checkpoint-count"), length ? String(length) : "");
        if (this.#panel.isOpen()) this.#fill();
      },
    );
  }

  /** Save a checkpoint and offer its file. */
  async save() {
    const { run } = this.#store.get();
    if (!run || this.#pending) return;
    this.#pending = true;
    this.#button.setAttribute("aria-busy", "true");
    try {
      const checkpoint = await api.saveCheckpoint(run.id);
      this.#store.dispatch({ type: "checkpointSaved", checkpoint });
      const saved = `Checkpoint at update ${format.count(checkpoint.update)} saved.`;
      toast(aboutRun(run, saved), {
        label: "Download",
        href: api.checkpointFile(run.id, checkpoint.id),
      });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(aboutRun(run, error.message));
    } finally {
      this.#pending = false;
      this.#button.removeAttribute("aria-busy");
    }
  }

  #fill() {
    const { run, checkpoints } = this.#store.get();
    if (!run) return;
    const saved = [...checkpoints].reverse().map(checkpointRow);
    const rows = [...modelRows(run), ...saved];
    const focused = this.#focused();
    this.#list.replaceChildren(...rows.map((row) => this.#row(run, row)));
    if (focused) this.#focus(...focused);
    fillModelFiles(run);
  }

  #row(run, { id, title, about, deletable = false, damaged = false }) {
    const { operator } = this.#store.get();
    const item = el(
      "li",
      { class: "checkpoint-row", "data-checkpoint": id },
      el("span", {}, title, el("small", { text: about })),
    );
    // The best model has only parameters, so a run cannot continue from it.
    if (operator && !damaged && !id.startsWith("best")) {
      item.append(
        button({ "aria-label": `Fork from: ${title}`, text: "Fork" }, () => {
          this.#panel.close();
          this.#forkDialog.open(run, this.#store.get().checkpoints, id);
        }),
      );
    }
    if (!damaged) {
      item.append(
        el("a", {
          class: "button button-small",
          href: api.checkpointFile(run.id, id),
          download: true,
          "aria-label": `Download: ${title}`,
          text: "Download",
        }),
      );
    }
    if (operator && deletable) {
      const name = aboutRun(run, `The checkpoint at ${title.toLowerCase()}`);
      const remove = () => this.#remove({ id, run: run.id, name });
      const look = "button-square button-plain";
      item.append(button({ "aria-label": `Delete: ${title}`, title: "Delete" }, remove, look));
      item.lastChild.append(icon("trash"));
    }
    return item;
  }

  #remove(thing) {
    const rows = [...this.#list.children].map((row) => row.dataset.checkpoint);
    const at = rows.indexOf(thing.id);
    this.#undoDelete.start(thing, () => this.#focus(thing.id));
    this.#focus(rows[at + 1] ?? rows[at - 1]);
  }

  #focused() {
    /** @type {HTMLElement | null | undefined} */
    const row = focusedElement()?.closest("[data-checkpoint]");
    if (!row || !this.#list.contains(row)) return null;
    return [row.dataset.checkpoint, [...row.children].indexOf(document.activeElement)];
  }

  /** Focus a button of a row, by default the last one. */
  #focus(id, at = -1) {
    if (!this.#panel.isOpen()) return;
    const row = [...this.#list.children].find(({ dataset }) => dataset.checkpoint === id);
    ([...(row?.children ?? [])].at(at) ?? find("#checkpoint-open")).focus();
  }
}

/**
 * Why the best model cannot be had as a page, or "" if it can; told before it is made.
 *
 * @param {Pick<Run, "parameters" | "spec">} run
 */
export function pageProblem({ parameters, spec }) {
  const bytes = parameters * DTYPE_BYTES[spec.dtype];
  const most = LIMITS.page_weight_bytes;
  if (bytes <= most) return "";
  const size = `${format.bytes(bytes)}, and at most ${format.bytes(most)} are possible`;
  return `The network is too large for a page that writes: its weights are ${size}.`;
}

function fillModelFiles(run) {
  const problem = pageProblem(run);
  find("#model-files").hidden = run.update === 0;
  find("#model-page").hidden = problem !== "";
  find("#model-page").href = api.standalonePage(run.id);
  find("#model-weights").href = api.weightsFile(run.id);
  const about = "A page that writes in any browser, offline, or the weights for PyTorch and NumPy.";
  setText(find("#model-files-hint"), problem || about);
}

const button = (attributes, click, look = "") =>
  el("button", {
    ...attributes,
    type: "button",
    class: `button button-small ${look}`,
    on: { click },
  });

function modelRows({ update, best, spec }) {
  const latest = { id: "latest", title: "Latest model", about: `update ${format.count(update)}` };
  if (!best) return [latest];
  const about = `update ${format.count(best.update)}, smooth loss ${format.loss(best.smooth_loss)}`;
  const rows = [{ id: "best", title: "Best model so far", about }];
  if (spec.validation_fraction > 0) {
    rows.push({ id: "best_validation", title: "Best by validation", about: "on held-out text" });
  }
  return [...rows, latest];
}

/**
 * The newest checkpoint cannot be deleted, since the run resumes from it; automatic ones are
 * deleted by the server.
 */
function checkpointRow(checkpoint, index) {
  const { id, update, smooth_loss: loss, bytes, created_at: at, automatic, note } = checkpoint;
  const { damaged = false } = checkpoint;
  const words = [
    damaged ? "damaged, cannot be read" : "",
    `smooth loss ${format.loss(loss)}`,
    format.bytes(bytes),
    format.clock(at),
    automatic ? "saved automatically" : note,
  ];
  const about = words.filter(Boolean).join(", ");
  const deletable = !automatic && (damaged || index > 0);
  return { id, title: `Update ${format.count(update)}`, about, deletable, damaged };
}
