/** The checkpoints of the run in view: save one, see them, take their files home. */

import * as api from "../api.js";
import { el, find, setText } from "../dom.js";
import * as format from "../format.js";
import { popover } from "./popover.js";
import { toast } from "./toasts.js";

/**
 * @param {Object} store
 * @returns {{save: () => Promise<void>}}
 */
export function mountCheckpoints(store) {
  const button = find("#checkpoint");
  const list = find("#checkpoint-list");
  let pending = false;

  async function save() {
    const { run, operator } = store.get();
    if (!run || !operator || pending) return;
    pending = true;
    button.setAttribute("aria-busy", "true");
    try {
      const checkpoint = await api.saveCheckpoint(run.id);
      store.dispatch({ type: "checkpointSaved", checkpoint });
      toast(`Checkpoint at update ${format.count(checkpoint.update)} saved.`, {
        label: "Download",
        href: api.checkpointFile(run.id, checkpoint.id),
      });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    } finally {
      pending = false;
      button.removeAttribute("aria-busy");
    }
  }

  function fill() {
    const { run, checkpoints } = store.get();
    if (!run) return;
    const best = run.best && {
      id: "best",
      title: "Best model so far",
      about: `update ${format.count(run.best.update)}, smooth loss ${format.loss(run.best.smooth_loss)}`,
    };
    const latest = {
      id: "latest",
      title: "Latest model",
      about: `update ${format.count(run.update)}`,
    };
    const saved = [...checkpoints].reverse().map((checkpoint) => ({
      id: checkpoint.id,
      title: `Update ${format.count(checkpoint.update)}`,
      about: [
        `smooth loss ${format.loss(checkpoint.smooth_loss)}`,
        format.bytes(checkpoint.bytes),
        format.clock(checkpoint.created_at),
        checkpoint.automatic ? "saved by the clock" : checkpoint.note,
      ]
        .filter(Boolean)
        .join(", "),
    }));
    list.replaceChildren(...[best, latest, ...saved].filter(Boolean).map((row) => rowOf(run, row)));
  }

  button.addEventListener("click", save);
  const panel = popover(find("#checkpoint-open"), find("#checkpoint-panel"), fill);
  store.watch(
    (state) => [state.checkpoints, state.runId],
    (checkpoints) => {
      setText(find("#checkpoint-count"), checkpoints.length ? String(checkpoints.length) : "");
      if (panel.isOpen()) fill();
    },
  );
  return { save };
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
