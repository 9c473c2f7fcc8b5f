/**
 * Deleting with undo: gone from the page at once, from the server when the time to undo is over.
 *
 * Until then nothing has happened: a run that trains goes on training, other windows still show it,
 * and whoever closes the page meanwhile keeps it. Another page of ours, in the same tab, takes over
 * what is pending.
 */

import * as api from "../net/api.js";
import { toast } from "../ui/toasts.js";

const UNDO_MS = 10_000;
const KEY = "hurrah-deleting";

/**
 * @typedef {{id: string, run: string, name: string}} Thing a run (`id` is its own), or a checkpoint
 *   of the run `run`; `name` is how it is spoken of.
 */

export class UndoDelete {
  #store;
  #deleted;
  #pending = new Map(); // id -> {thing, note, kept}, oldest first
  #gone = new Set(); // what the server has deleted, before its list says so

  /**
   * @param {Object} store gets `pendingDelete` actions.
   * @param {() => void} deleted called when the server has deleted something, or refused to.
   */
  constructor(store, deleted) {
    this.#store = store;
    this.#deleted = deleted;
    window.addEventListener("pagehide", () => this.#storePending());
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#resumePending());
    this.#resumePending();
  }

  /**
   * @param {Thing} thing
   * @param {() => void} [onUndo] called when it was undone.
   */
  start(thing, onUndo = () => {}) {
    if (this.#pending.has(thing.id)) return;
    const toastHandle = toast(`${thing.name} is deleted.`, {
      label: "Undo",
      run: () => this.#restore(thing.id),
      onClose: () => this.#finish(thing),
      lastsMs: UNDO_MS,
    });
    this.#pending.set(thing.id, { thing, toastHandle, onUndo });
    this.#publish();
  }

  /** Keep what was deleted last, if there is still time. */
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
    const things = [...this.#pending.values()].map(({ thing, toastHandle }) => toastHandle.remove() && thing);
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
    // Storage closed to us: then nothing is deleted.
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
