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

export class Deletions {
  #store;
  #deleted;
  #pending = new Map(); // id -> {thing, note, kept}, oldest first
  #gone = new Set(); // what the server has deleted, before its list says so

  /**
   * @param {Object} store gets `leaving` actions.
   * @param {() => void} deleted called when the server has deleted something, or refused to.
   */
  constructor(store, deleted) {
    this.#store = store;
    this.#deleted = deleted;
    window.addEventListener("pagehide", () => this.#handOver());
    window.addEventListener("pageshow", ({ persisted }) => persisted && this.#takeOver());
    this.#takeOver();
  }

  /**
   * @param {Thing} thing
   * @param {() => void} [kept] called when it was undone.
   */
  start(thing, kept = () => {}) {
    if (this.#pending.has(thing.id)) return;
    const note = toast(`${thing.name} is deleted.`, {
      label: "Undo",
      run: () => this.#keep(thing.id),
      onClose: () => this.#finish(thing),
      lastsMs: UNDO_MS,
    });
    this.#pending.set(thing.id, { thing, note, kept });
    this.#tell();
  }

  /** Keep what was deleted last, if there is still time. */
  undo() {
    const last = [...this.#pending.values()].at(-1);
    if (last?.note.leave()) this.#keep(last.thing.id);
  }

  #keep(id) {
    const { kept } = this.#pending.get(id);
    this.#pending.delete(id);
    this.#tell();
    kept();
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
    this.#tell();
  }

  #tell() {
    const leaving = [...this.#pending.keys(), ...this.#gone];
    this.#store.dispatch({ type: "leaving", leaving });
  }

  #handOver() {
    const things = [...this.#pending.values()].map(({ thing, note }) => note.leave() && thing);
    this.#pending.clear();
    if (!things.length) return;
    remember({ things: things.filter(Boolean), until: Date.now() + UNDO_MS });
  }

  #takeOver() {
    const left = recall();
    if (left && left.until > Date.now()) for (const thing of left.things) this.start(thing);
    else this.#tell();
  }
}

function remember(left) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(left));
  } catch {
    // Storage closed to us: then nothing is deleted.
  }
}

function recall() {
  try {
    const left = JSON.parse(sessionStorage.getItem(KEY));
    sessionStorage.removeItem(KEY);
    return left;
  } catch {
    return null;
  }
}
