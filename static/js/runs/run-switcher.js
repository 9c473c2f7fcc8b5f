/**
 * The run in view, and the list of runs: find, open, rename, delete with undo, several at once, and
 * the order of those that wait.
 */

import * as api from "../net/api.js";
import { el, find, focusedElement, icon, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { memoize } from "../lib/memoize.js";
import { networkSummary } from "../lib/network-summary.js";
import { isOutdated } from "../ui/connection.js";
import { folded, groupLabel, statesSentence } from "../run-lists/groups.js";
import { distinctions } from "../run-lists/labels.js";
import { listedRuns } from "../run-lists/order.js";
import { moreRow, PAGE_RUNS } from "../run-lists/pages.js";
import { popover } from "../ui/popover.js";
import { aboutRun, toast } from "../ui/toasts.js";
import { nameField } from "./inline-rename.js";

const REFRESH_MS = 3000;

/** The states in which an action applies to a run. */
const APPLIES = {
  pause: ["running", "queued"],
  resume: ["paused", "interrupted", "failed"],
  stop: ["running", "queued", "paused", "interrupted"],
};
const ACTIONS = { pause: api.pause, resume: api.resume, stop: api.stop };

export class RunSwitcher {
  #store;
  #currentRun;
  #undoDelete;
  #button = find("#run-switch");
  #list = find("#run-list");
  #panel;
  #renaming = false;
  #lastMove = Promise.resolve();
  #timer = null;
  #search = find("#run-search");
  #filter = find("#run-filter");
  #batch = document.querySelector("#run-batch"); // only for the operator
  #selected = new Set(); // ids
  #unfolded = new Set(); // ids of groups
  #rows = new Map(); // id -> {item, looks}
  #shown = PAGE_RUNS;
  #stopDialog = find("#stop-dialog");
  /** @type {Run[]} */
  #stopping = []; // the runs for which the stop dialog is open

  /**
   * @param {WatchStore} store
   * @param {any} undoDelete
   * @param {any} currentRun see state/current-run.js.
   */
  constructor(store, undoDelete, currentRun) {
    this.#store = store;
    this.#undoDelete = undoDelete;
    this.#currentRun = currentRun;
    this.#panel = popover(this.#button, find("#run-panel"), () => this.#opened());
    for (const input of [this.#search, this.#filter]) {
      input.addEventListener("input", () => {
        this.#shown = PAGE_RUNS;
        this.#fill();
      });
    }
    this.#mountBatch();
    store.watch(
      (state) => {
        const { run, runId, runs } = state;
        const shown = [run?.name, run?.state, run?.spec, runId, runs?.length];
        return [...shown, isOutdated(state), state.playback === null];
      },
      () => this.#showRun(),
    );
    store.watch(
      (state) => [state.runs, isOutdated(state)],
      () => this.#panel.isOpen() && this.#fill(),
    );
  }

  #showRun() {
    const { run, runs } = this.#store.get();
    const outdated = isOutdated(this.#store.get());
    const replayed = this.#store.get().playback !== null;
    setText(find("#run-name"), run?.name ?? (runs?.length === 0 ? "No run yet" : "Loading"));
    setText(find("#run-about"), aboutRunInHeader(run, replayed));
    setText(find("#run-state"), run ? headerState(run.state, outdated, replayed) : "");
    find("#run-dot").dataset.state = run?.state ?? "";
    this.#button.title = run ? `${run.name}: ${format.knownState(run.state, outdated)}` : "";
  }

  #opened() {
    this.#renaming = false;
    this.#search.value = "";
    this.#filter.value = "all";
    this.#selected.clear();
    this.#shown = PAGE_RUNS;
    this.#rows.clear();
    this.#fill();
    this.#currentRun.refreshRuns();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      if (this.#panel.isOpen()) this.#currentRun.refreshRuns();
      else clearInterval(this.#timer);
    }, REFRESH_MS);
  }

  #fill() {
    if (this.#renaming) return;
    const focused = this.#focused();
    const listed = this.#listed();
    const known = distinctions(this.#store.get().runs ?? []);
    const waiting = this.#waiting();
    const entries = this.#foldedOf(listed);
    const rowOf = (/** @type {Run} */ run, /** @type {boolean} */ inGroup) => {
      const row = this.#rowOf(run, waiting, known.get(run.id)?.more, inGroup);
      row.classList.toggle("run-member", inGroup);
      return row;
    };
    const items = entries.slice(0, this.#shown).flatMap(({ run, group }) => {
      if (run) return [rowOf(run, false)];
      const open = this.#unfolded.has(group.id);
      const members = open ? group.members.map((each) => rowOf(each, true)) : [];
      return [this.#groupRow(group, open), ...members];
    });
    if (!listed.length) {
      const none = this.#store.get().runs?.length ? "No run matches." : "No runs yet.";
      items.push(el("li", { class: "hint", text: none }));
    }
    if (entries.length > this.#shown) {
      items.push(moreRow(this.#shown, entries.length, () => this.#showMore()));
    }
    setChildren(this.#list, items);
    if (focused && !this.#list.contains(document.activeElement)) this.#focus(...focused);
    this.#showBatch();
  }

  #showMore() {
    const first = this.#shown;
    this.#shown += PAGE_RUNS;
    this.#fill();
    this.#list.children[first]?.querySelector("button").focus();
  }

  /** @returns {Run[]} */
  #listed() {
    const { runs, run } = this.#store.get();
    return this.#listedOf(runs, run, this.#search.value, this.#filter.value);
  }

  #listedOf = memoize(
    (...given) => given,
    (/** @type {Run[] | null} */ runs, /** @type {Run | null} */ run, text, filter) => {
      // Live data is newer than the list.
      const fresh = (runs ?? []).map((each) => (each.id === run?.id ? run : each));
      return listedRuns(fresh, { text, filter });
    },
  );

  #foldedOf = memoize((runs) => [runs], folded);

  // --- Several runs at once ---

  #mountBatch() {
    if (!this.#batch) return;
    find("#run-select-all").addEventListener("change", ({ target }) => {
      this.#selected = new Set(target.checked ? this.#listed().map(({ id }) => id) : []);
      this.#fill();
    });
    for (const button of this.#batchButtons()) {
      button.addEventListener("click", () => this.#apply(button.dataset.batch));
    }
    this.#stopDialog.addEventListener("close", () => {
      const runs = this.#stopping;
      this.#stopping = [];
      if (this.#stopDialog.returnValue === "stop" && runs.length) this.#request("stop", runs);
    });
  }

  /** @returns {NodeListOf<HTMLButtonElement>} */
  #batchButtons() {
    return this.#batch.querySelectorAll("[data-batch]");
  }

  /** @param {string} action @returns {Run[]} the selected runs to which it applies. */
  #subjects(action) {
    const states = APPLIES[action];
    return this.#listed().filter(
      ({ id, state }) => this.#selected.has(id) && (states?.includes(state) ?? true),
    );
  }

  #showBatch() {
    if (!this.#batch) return;
    const listed = this.#listed();
    const count = listed.filter(({ id }) => this.#selected.has(id)).length;
    const all = find("#run-select-all");
    all.checked = count > 0 && count === listed.length;
    all.indeterminate = count > 0 && count < listed.length;
    setText(find("#run-selected"), count ? `${format.count(count)} selected` : "Select all");
    for (const button of this.#batchButtons()) {
      button.disabled = !this.#subjects(button.dataset.batch).length;
    }
  }

  #apply(action) {
    const runs = this.#subjects(action);
    if (action === "delete") this.#removeAll(runs);
    else if (action === "stop") {
      this.#stopping = runs;
      const name = runs.length === 1 ? `“${runs[0].name}”` : `${format.count(runs.length)} runs`;
      setText(find("#stop-run-name"), name);
      this.#stopDialog.returnValue = "";
      this.#panel.close();
      this.#stopDialog.showModal();
    } else this.#request(action, runs);
  }

  /** Send a request for each run, in the order of the list. */
  async #request(action, runs) {
    for (const run of runs) {
      try {
        this.#store.dispatch({ type: "run", run: await ACTIONS[action](run.id) });
      } catch (error) {
        if (!(error instanceof api.Problem)) throw error;
        toast(aboutRun(run, error.message));
      }
    }
    this.#currentRun.refreshRuns();
  }

  #removeAll(runs) {
    const { runId } = this.#store.get();
    const watched = runs.some(({ id }) => id === runId);
    const things = runs.map(({ id, name }) => ({ id, run: id, name: `“${name}”` }));
    const names = things.length === 1 ? things[0].name : `${format.count(things.length)} runs`;
    const were = things.length === 1 ? "was" : "were";
    this.#undoDelete.startAll(things, `${names} ${were} deleted.`, () => {
      if (watched) this.#currentRun.open(runId);
    });
    this.#selected.clear();
    if (watched) this.#currentRun.open(this.#currentRun.defaultRunId());
    this.#fill();
  }

  #checkbox({ id, name }) {
    const change = ({ target }) => {
      if (target.checked) this.#selected.add(id);
      else this.#selected.delete(id);
      this.#showBatch();
    };
    return el("input", { type: "checkbox", "aria-label": `Select ${name}`, on: { change } });
  }

  /**
   * The row of a run: that of the last time, if it looks the same.
   *
   * @param {Run} run
   * @param {number} waiting the number of runs that wait.
   * @param {string | undefined} more what tells it apart from other runs with its name.
   * @param {boolean} inGroup whether the row above describes its network.
   */
  #rowOf(run, waiting, more, inGroup) {
    const current = run.id === this.#store.get().runId;
    const state = stateLine(run, isOutdated(this.#store.get()));
    const words = inGroup ? [state] : [more, state, summary(run)];
    const about = words.filter(Boolean).join("; ");
    const looks = [run.name, run.state, about, current, run.queue_position, waiting].join("\n");
    let seen = this.#rows.get(run.id);
    if (seen?.looks !== looks) {
      seen = { looks, item: this.#row(run, about, waiting) };
      this.#rows.set(run.id, seen);
    }
    const checkbox = seen.item.querySelector(":scope > input");
    if (checkbox) checkbox.checked = this.#selected.has(run.id);
    return seen.item;
  }

  #row(run, about, waiting) {
    const { runId, operator } = this.#store.get();
    const open = () => {
      this.#panel.close();
      this.#currentRun.open(run.id);
    };
    const item = el(
      "li",
      { class: "run-row", "data-run": run.id, "aria-current": run.id === runId ? "true" : null },
      el(
        "button",
        { type: "button", class: "run-open", on: { click: open } },
        el("span", { class: "dot", "data-state": run.state }),
        el("span", { class: "run-name", text: run.name }),
        el("span", { class: "run-about", text: about }),
      ),
    );
    if (operator) {
      item.append(
        small("edit", `Rename ${run.name}`, () => this.#rename(item, run)),
        small("trash", `Delete ${run.name}`, () => this.#remove(run)),
      );
      if (waiting > 1 && run.queue_position) item.append(...this.#moves(run));
      item.append(this.#checkbox(run));
    }
    return item;
  }

  /**
   * The row of the runs of a group, which opens the rows of the single ones below it.
   *
   * @param {import("../run-lists/groups.js").ListedGroup} group
   * @param {boolean} open
   */
  #groupRow(group, open) {
    const { runId, operator } = this.#store.get();
    const { id, name, members } = group;
    const key = `group ${id}`;
    const current = members.some((each) => each.id === runId);
    const label = groupLabel(group);
    const about = `${statesSentence(members)}; ${summary(members[0])}`;
    const chosen = members.filter((each) => this.#selected.has(each.id)).length;
    const looks = [label, about, open, current].join("\n");
    let seen = this.#rows.get(key);
    if (seen?.looks !== looks) {
      const shown = members.find(({ state }) => state === "running") ?? members[0];
      const toggle = () => {
        if (!this.#unfolded.delete(id)) this.#unfolded.add(id);
        this.#fill();
      };
      const item = el(
        "li",
        { class: "run-row", "data-run": key, "aria-current": current ? "true" : null },
        el(
          "button",
          {
            ...{ type: "button", class: "run-open", "aria-expanded": String(open) },
            on: { click: toggle },
          },
          el("span", { class: "dot", "data-state": shown.state }),
          el("span", { class: "run-name", text: label }, icon(open ? "up" : "down")),
          el("span", { class: "run-about", text: about }),
        ),
      );
      if (operator) {
        const all = `all ${members.length} runs of ${name}`;
        const change = ({ target }) => {
          for (const each of members) {
            if (target.checked) this.#selected.add(each.id);
            else this.#selected.delete(each.id);
          }
          this.#fill();
        };
        item.append(
          small("edit", `Rename ${name}`, () => this.#renameGroup(item, group)),
          small("trash", `Delete ${all}`, () => this.#removeAll(members)),
          el("input", { type: "checkbox", "aria-label": `Select ${all}`, on: { change } }),
        );
      }
      seen = { looks, item };
      this.#rows.set(key, seen);
    }
    const checkbox = seen.item.querySelector(":scope > input");
    if (checkbox) {
      checkbox.checked = chosen === members.length;
      checkbox.indeterminate = chosen > 0 && chosen < members.length;
    }
    return seen.item;
  }

  /** The number of runs that wait. */
  #waiting() {
    return (this.#store.get().runs ?? []).filter(({ state }) => state === "queued").length;
  }

  /** The buttons that move a waiting run in the queue. At its ends they stay focusable. */
  #moves(run) {
    const move = (icon, label, by) => {
      const position = run.queue_position + by;
      const possible = position >= 1 && position <= this.#waiting();
      const button = small(icon, `Move ${run.name} ${label}`, () => {
        if (possible) this.#lastMove = this.#lastMove.then(() => this.#move(run, by));
      });
      if (!possible) button.setAttribute("aria-disabled", "true");
      return button;
    };
    return [move("up", "up", -1), move("down", "down", 1)];
  }

  /** Move a waiting run by one place from where it is now: an earlier press may have moved it. */
  async #move(run, by) {
    const listed = this.#store.get().runs?.find(({ id }) => id === run.id);
    const position = (listed?.queue_position ?? run.queue_position) + by;
    if (position < 1 || position > this.#waiting()) return;
    try {
      const moved = await api.moveInQueue(run.id, position);
      this.#store.dispatch({ type: "run", run: moved });
      await this.#currentRun.refreshRuns();
      const place = `is now number ${moved.queue_position} of ${this.#waiting()} that wait.`;
      setText(find("#run-moved"), `${run.name} ${place}`);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(aboutRun(run, error.message));
      this.#currentRun.refreshRuns();
    }
  }

  #rename(item, run) {
    const renamed = (now) => {
      this.#store.dispatch({ type: "run", run: now });
      this.#currentRun.refreshRuns();
    };
    const done = this.#becomesForm(run.id);
    item.replaceChildren(nameField(run, api.changeRun, renamed, done));
  }

  #renameGroup(item, group) {
    const done = this.#becomesForm(`group ${group.id}`);
    const renamed = () => this.#currentRun.refreshRuns();
    item.replaceChildren(nameField(group, api.changeGroup, renamed, done));
  }

  /**
   * Leave the list as it is while a row is a form; returns what ends this.
   *
   * @param {string} key of the row.
   */
  #becomesForm(key) {
    this.#renaming = true;
    this.#rows.delete(key);
    return () => {
      this.#renaming = false;
      this.#fill();
      this.#focus(key, 1);
    };
  }

  #remove(run) {
    const { runId } = this.#store.get();
    const rows = [...this.#list.querySelectorAll("[data-run]")].map((row) => row.dataset.run);
    const at = rows.indexOf(run.id);
    const watched = run.id === runId;
    this.#undoDelete.start({ id: run.id, run: run.id, name: `“${run.name}”` }, () => {
      if (watched) this.#currentRun.open(run.id);
      this.#focus(run.id, 0);
    });
    this.#focus(rows[at + 1] ?? rows[at - 1], 2);
    if (watched) this.#currentRun.open(this.#currentRun.defaultRunId());
  }

  /** The run whose row has the focus, and the index of the focused button. */
  #focused() {
    /** @type {HTMLElement | null | undefined} */
    const row = focusedElement()?.closest("[data-run]");
    if (!row || !this.#list.contains(row)) return null;
    return [row.dataset.run, [...row.children].indexOf(document.activeElement)];
  }

  /** Focus a button of a run's row; without the row, the button that opens the list. */
  #focus(id, button) {
    if (!this.#panel.isOpen()) return;
    const row = [...this.#list.children].find((each) => each.dataset.run === id);
    // A run that has started has no buttons to move it.
    (row?.children[Math.min(button, row.children.length - 1)] ?? this.#button).focus();
  }
}

const aboutRunInHeader = (run, replayed) => {
  if (replayed) return "replay of the training";
  return run ? summary(run) : "";
};

const headerState = (state, outdated, replayed) =>
  replayed ? "replay" : format.knownState(state, outdated, true);

/** "rnn 100, adagrad 0.1, on The Lamps of Saltmere", without the corpus if the run has its name. */
const summary = (run) =>
  [networkSummary(run.spec), run.corpus_name !== run.name && `on ${run.corpus_name}`]
    .filter(Boolean)
    .join(", ");

/** "paused at 1,200"; "was training at 1,200"; "waiting for a free core, number 2, at 0" */
function stateLine({ state, update, queue_position: place, machine }, outdated) {
  const number = state === "queued" && place ? `, number ${place},` : "";
  const where = state === "running" ? format.onMachine(machine) : "";
  return `${format.knownState(state, outdated)}${where}${number} at ${format.count(update)}`;
}

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
