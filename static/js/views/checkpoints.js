/** The checkpoints of the run in view: save one, see them, take their files home. */

import * as api from "../api.js";
import { el, find, setText } from "../dom.js";
import * as format from "../format.js";
import { popover } from "./popover.js";
import { toast } from "./toasts.js";

export class Checkpoints {
  #store;
  #button = find("#checkpoint");
  #list = find("#checkpoint-list");
  #panel;
  #pending = false;

  /** @param {Object} store */
  constructor(store) {
    this.#store = store;
    this.#button.addEventListener("click", () => this.save());
    this.#panel = popover(find("#checkpoint-open"), find("#checkpoint-panel"), () => this.#fill());
    store.watch(
      (state) => [state.checkpoints, state.runId],
      (checkpoints) => {
        setText(find("#checkpoint-count"), checkpoints.length ? String(checkpoints.length) : "");
        if (this.#panel.isOpen()) this.#fill();
      },
    );
  }

  /** Save a checkpoint, and offer its file. */
  async save() {
    const { run } = this.#store.get();
    if (!run || this.#pending) return;
    this.#pending = true;
    this.#button.setAttribute("aria-busy", "true");
    try {
      const checkpoint = await api.saveCheckpoint(run.id);
      this.#store.dispatch({ type: "checkpointSaved", checkpoint });
      toast(`Checkpoint at update ${format.count(checkpoint.update)} saved.`, {
        label: "Download",
        href: api.checkpointFile(run.id, checkpoint.id),
      });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
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
    this.#list.replaceChildren(...rows.map((row) => rowOf(run, row)));
  }
}

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

function checkpointRow({ id, update, smooth_loss: loss, bytes, created_at: at, automatic, note }) {
  const words = [
    `smooth loss ${format.loss(loss)}`,
    format.bytes(bytes),
    format.clock(at),
    automatic ? "saved by the clock" : note,
  ];
  return { id, title: `Update ${format.count(update)}`, about: words.filter(Boolean).join(", ") };
}

function rowOf(run, { id, title, about }) {
  return el(
    "li",
    { class: "checkpoint-row" },
    el("span", {}, title, el("small", { text: about })),
    el("a", {
      class: "button button-small",
      href: api.checkpointFile(run.id, id),
      download: true,
      "aria-label": `Download: ${title}`,
      text: "Download",
    }),
  );
}
