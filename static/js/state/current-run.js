/** Which run is in view: the address says, and the address follows. */

import { urlOf, stateFromUrl } from "./url-state.js";
import * as api from "../net/api.js";
import { refineStart } from "../curve/detail-loader.js";
import { MessageBatcher } from "../net/batcher.js";
import { LiveSocket } from "../net/live-socket.js";
import { toast } from "../ui/toasts.js";

const RETRY_MS = 3000;

export class CurrentRun {
  #store;
  #onMessage;
  #socket = null;
  #batcher = new MessageBatcher((messages) =>
    this.#store.dispatch(...messages.map((message) => ({ type: "message", message }))),
  );

  /**
   * @param {Object} store
   * @param {(message: Object) => void} onMessage called with each message, before the store has it.
   */
  constructor(store, onMessage) {
    this.#store = store;
    this.#onMessage = onMessage;
    window.addEventListener("popstate", () => {
      const view = stateFromUrl(location.search);
      this.#show(view.runId ?? this.defaultRunId(), view);
    });
    // A run from a text uploaded elsewhere brings a corpus that this page has not heard of.
    store.watch(
      (state) => [state.run?.corpus],
      (corpus) => {
        if (corpus && !store.get().corpora[corpus]) this.#refreshCorpora();
      },
    );
    // A run that waits names those that it waits for, and they change without a word to this one.
    setInterval(() => {
      const waits = store.get().run?.state === "queued";
      if (waits && document.visibilityState === "visible") this.refreshRuns();
    }, RETRY_MS);
  }

  /** Show the run of the address, or choose one; while the server can't be reached, try again. */
  async start() {
    const view = stateFromUrl(location.search);
    const asked = view.runId;
    if (asked) this.#show(asked, view);
    this.#refreshCorpora();
    const reached = await this.refreshRuns();
    if (!reached) {
      setTimeout(() => this.start(), RETRY_MS);
      return;
    }
    if (!asked) this.#show(this.defaultRunId(), view);
  }

  /** Turn to a run; the one before it is a step back in the browser's history. */
  open(id) {
    if (id === this.#store.get().runId) return;
    this.#show(id);
    history.pushState(null, "", urlOf(this.#store.get()));
  }

  /** Turn to a run that was just made. */
  async openNew(run) {
    await this.refreshRuns();
    this.open(run.id);
  }

  /** Ask which runs there are; whether the server could be reached. */
  async refreshRuns() {
    const runs = await api.nullOnProblem(api.listRuns());
    if (runs) this.#store.dispatch({ type: "runs", runs });
    return runs !== null;
  }

  /** The run that a page without one in its address shows, null for none. */
  defaultRunId() {
    return defaultRun(this.#store.get().runs ?? []);
  }

  /** Show a run, and of it what `view` (see state/url-state.js) asks for. */
  #show(id, view = {}) {
    const moved = id !== this.#store.get().runId || !this.#socket;
    if (moved) this.#socket?.close();
    this.#store.dispatch({ type: moved ? "open" : "setView", runId: id, view });
    if (!moved) return;
    this.#socket = null;
    if (!id) return;
    this.#socket = new LiveSocket(id, {
      message: (message) => this.#receive(message),
      connection: (connection) => {
        this.#store.dispatch({ type: "connection", connection });
        if (connection.status === "gone") this.#replaceMissingRun(id);
      },
    });
  }

  #receive(message) {
    this.#onMessage(message);
    this.#batcher.add(message);
    if (this.#store.get().refining && message.type === "snapshot") {
      refineStart(this.#store, message.run, message.loss.bucket);
    }
  }

  async #refreshCorpora() {
    const corpora = await api.nullOnProblem(api.listCorpora());
    if (corpora) this.#store.dispatch({ type: "corpora", corpora });
  }

  async #replaceMissingRun(id) {
    await this.refreshRuns();
    if (this.#store.get().runId !== id) return;
    const others = (this.#store.get().runs ?? []).filter((run) => run.id !== id);
    const next = defaultRun(others);
    toast(
      next
        ? "That run is not there (any more). This one is."
        : "That run is not there (any more), and no other one is.",
    );
    this.#show(next);
  }
}

/** The newest at work, else the newest. */
function defaultRun(runs) {
  return (runs.find(({ state }) => state === "running") ?? runs[0])?.id ?? null;
}
