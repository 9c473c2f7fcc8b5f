/**
 * Deletion with undo: the page hides the item at once, and the server deletes it when the time to
 * undo is over.
 *
 * Until then nothing has changed: a training run goes on, other clients still show it, and closing
 * the page cancels the deletion. Another page of this site in the same tab takes over pending
 * deletions.
 */

import * as api from "../net/api.js";
import { toast, UNDO_MS } from "../ui/toasts.js";

const KEY = "hurrah-deleting";

/**
 * @typedef {{id: string, run: string, name: string, sweep?: "alone" | "with runs"}} Deletable a run
 *   (`id` equals `run`), a checkpoint of that run, or a sweep; `name` is used in messages.
 */

export class UndoDelete {
  #store;
  #deleted;
  #pending = new Map(); // id -> the group that it was deleted with, oldest first
  #gone = new Set(); // deleted by the server, but possibly still in its last list

  /**
   * @param {Store<any>} store gets `pendingDelete` actions.
   * @param {() => void} deleted called after the server has deleted something or refused to.
   */
  constructor(store, deleted) {
    this.#store = store;
    this.#deleted = deleted;
    window.addEventListener("pagehide", () => this.#storePending());
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#resumePending());
    this.#resumePending();
  }

  /**
   * @param {Deletable} thing
   * @param {() => void} [onUndo] called when the deletion is undone.
   */
  start(thing, onUndo = () => {}) {
    this.startAll([thing], `${thing.name} was deleted.`, onUndo);
  }

  /**
   * Delete several things, which are restored together.
   *
   * @param {Deletable[]} all
   * @param {string} message
   * @param {() => void} [onUndo] called when the deletion is undone.
   */
  startAll(all, message, onUndo = () => {}) {
    const things = all.filter(({ id }) => !this.#pending.has(id));
    if (!things.length) return;
    const group = { things, onUndo, toastHandle: null };
    group.toastHandle = toast(message, {
      label: "Undo",
      run: () => this.#restore(group),
      onClose: () => things.forEach((thing) => this.#finish(thing)),
      lastsMs: UNDO_MS,
    });
    for (const { id } of things) this.#pending.set(id, group);
    this.#publish();
  }

  /** Undo the last deletion, if there is still time. */
  undo() {
    const last = [...this.#pending.values()].at(-1);
    if (last?.toastHandle.remove()) this.#restore(last);
  }

  #restore({ things, onUndo }) {
    for (const { id } of things) this.#pending.delete(id);
    this.#publish();
    onUndo();
  }

  /** @param {Deletable} thing */
  async #finish({ id, run, sweep }) {
    try {
      if (sweep) await api.deleteSweep(id, sweep === "with runs");
      else await (id === run ? api.deleteRun(run) : api.deleteCheckpoint(run, id));
      this.#gone.add(id);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (error.status !== 404) toast(error.message);
    }
    this.#pending.delete(id);
    await this.#deleted();
    this.#publish();
  }

  #publish() {
    const pendingDelete = [...this.#pending.keys(), ...this.#gone];
    this.#store.dispatch({ type: "pendingDelete", pendingDelete });
  }

  #storePending() {
    // A group whose toast is gone is being deleted already.
    const things = [...new Set(this.#pending.values())].flatMap((group) =>
      group.toastHandle.remove() ? group.things : [],
    );
    this.#pending.clear();
    if (!things.length) return;
    storeDeletes({ things, until: Date.now() + UNDO_MS });
  }

  #resumePending() {
    const left = storedDeletes();
    if (left && left.until > Date.now()) for (const thing of left.things) this.start(thing);
    else this.#publish();
  }
}

function storeDeletes(left) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(left));
  } catch {
    // Storage may be blocked; then nothing is deleted.
  }
}

function storedDeletes() {
  try {
    const left = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    return left;
  } catch {
    return null;
  }
}
