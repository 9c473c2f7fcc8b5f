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
 * @typedef {{id: string, run: string, name: string}} Deletable a run (`id` equals `run`) or a
 *   checkpoint of that run; `name` is used in messages.
 */

export class UndoDelete {
  #store;
  #deleted;
  #pending = new Map(); // id -> {thing, toastHandle, onUndo}, oldest first
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
    if (this.#pending.has(thing.id)) return;
    const toastHandle = toast(`${thing.name} was deleted.`, {
      label: "Undo",
      run: () => this.#restore(thing.id),
      onClose: () => this.#finish(thing),
      lastsMs: UNDO_MS,
    });
    this.#pending.set(thing.id, { thing, toastHandle, onUndo });
    this.#publish();
  }

  /** Undo the last deletion, if there is still time. */
  undo() {
    const last = [...this.#pending.values()].at(-1);
    if (last?.toastHandle.remove()) this.#restore(last.thing.id);
  }

  #restore(id) {
    const { onUndo } = this.#pending.get(id);
    this.#pending.delete(id);
    this.#publish();
    onUndo();
  }

  async #finish({ id, run }) {
    try {
      await (id === run ? api.deleteRun(run) : api.deleteCheckpoint(run, id));
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
    const things = [...this.#pending.values()].map(
      ({ thing, toastHandle }) => toastHandle.remove() && thing,
    );
    this.#pending.clear();
    if (!things.length) return;
    storeDeletes({ things: things.filter(Boolean), until: Date.now() + UNDO_MS });
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
