/** The run in view, and the list of runs to turn to: open, rename, delete with undo. */

import * as api from "../api.js";
import { el, find, icon, setText } from "../dom.js";
import * as format from "../format.js";
import { popover } from "./popover.js";
import { toast } from "./toasts.js";

const REFRESH_MS = 3000;

/**
 * @param {Object} store
 * @param {{openRun: (id: string) => void, refreshRuns: () => Promise<void>}} deeds
 */
export function mountRuns(store, { openRun, refreshRuns }) {
  const button = find("#run-switch");
  const list = find("#run-list");
  const leaving = new Set(); // runs whose deletion can still be undone
  let renaming = null;
  let timer = null;

  const panel = popover(button, find("#run-panel"), () => {
    renaming = null;
    fill();
    refreshRuns();
    timer = setInterval(() => {
      if (panel.isOpen()) refreshRuns();
      else clearInterval(timer);
    }, REFRESH_MS);
  });

  function fill() {
    const { runs, runId, run, operator } = store.get();
    if (renaming) return;
    const shown = (runs ?? []).filter(({ id }) => !leaving.has(id));
    const fresh = shown.map((each) => (each.id === run?.id ? { ...each, ...run } : each));
    list.replaceChildren(...fresh.map((each) => row(each, each.id === runId, operator)));
    if (!shown.length) list.append(el("li", { class: "hint", text: "No runs yet." }));
  }

  function row(run, current, operator) {
    const open = el(
      "button",
      {
        type: "button",
        class: "run-open",
        on: {
          click: () => {
            panel.close();
            openRun(run.id);
          },
        },
      },
      el("span", { class: "dot", "data-state": run.state }),
      el("span", { class: "run-name", text: run.name }),
      el("span", { class: "run-about", text: `${standing(run)}; ${about(run)}` }),
    );
    const item = el("li", { class: "run-row", "aria-current": current ? "true" : null }, open);
    if (operator) {
      item.append(
        small("edit", `Rename ${run.name}`, () => rename(item, run)),
        small("trash", `Delete ${run.name}`, () => remove(run)),
      );
    }
    return item;
  }

  function rename(item, run) {
    renaming = run.id;
    const input = el("input", {
      class: "run-rename",
      value: run.name,
      maxlength: 120,
      "aria-label": "New name",
    });
    const finish = async (keep) => {
      if (renaming !== run.id) return;
      renaming = null;
      const name = input.value.trim();
      try {
        if (keep && name && name !== run.name) {
          store.dispatch({ type: "run", run: await api.changeRun(run.id, { name }) });
        }
        await refreshRuns();
      } catch (error) {
        if (!(error instanceof api.Problem)) throw error;
        toast(error.message);
      }
      fill();
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (event.key === "Enter") finish(true);
      if (event.key === "Escape") finish(false);
    });
    input.addEventListener("blur", () => finish(true));
    item.replaceChildren(input);
    input.focus();
    input.select();
  }

  /** The deletion itself waits until it can no longer be undone. */
  function remove(run) {
    leaving.add(run.id);
    fill();
    button.focus();
    toast(`“${run.name}” is being deleted, with all it kept.`, {
      label: "Undo",
      run: () => {
        leaving.delete(run.id);
        fill();
      },
      onClose: async () => {
        try {
          await api.deleteRun(run.id);
        } catch (error) {
          if (!(error instanceof api.Problem)) throw error;
          if (error.status !== 404) toast(error.message);
        }
        leaving.delete(run.id);
        await refreshRuns();
      },
    });
  }

  store.watch(
    (state) => [state.run?.name, state.run?.state, state.run?.spec, state.runId, state.runs?.length],
    () => {
      const { run, runs } = store.get();
      setText(find("#run-name"), run?.name ?? (runs?.length === 0 ? "No run yet" : "Loading"));
      setText(find("#run-about"), run ? about(run) : "");
      find("#run-dot").dataset.state = run?.state ?? "";
      button.title = run ? `${run.name}: ${format.stateWord(run.state)}` : "";
      document.title = run ? `${run.name} · Hurrah` : "Hurrah";
    },
  );
  store.watch(
    (state) => [state.runs],
    () => panel.isOpen() && fill(),
  );
}

/** "The Lamps of Saltmere, rnn 100, adagrad 0.1", without a text that gave the run its name. */
const about = (run) =>
  [run.corpus_name === run.name ? null : run.corpus_name, format.network(run.spec)]
    .filter(Boolean)
    .join(", ");

const standing = (run) => `${format.stateWord(run.state)} at ${format.count(run.update)}`;

function small(name, label, click) {
  return el(
    "button",
    {
      type: "button",
      class: "button button-small button-square button-plain",
      "aria-label": label,
      title: label,
      on: { click },
    },
    icon(name),
  );
}
