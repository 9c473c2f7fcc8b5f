/** The run in view. It is chosen by the URL, and changing it changes the URL. */

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
  /** @type {LiveSocket | null} */
  #socket = null;
  #batcher = new MessageBatcher((messages) =>
    this.#store.dispatch(...messages.map((message) => ({ type: "message", message }))),
  );

  /**
   * @param {WatchStore} store
   * @param {(message: ServerMessage) => void} onMessage called with each message before the store.
   */
  constructor(store, onMessage) {
    this.#store = store;
    this.#onMessage = onMessage;
    window.addEventListener("popstate", () => {
      const view = stateFromUrl(location.search);
      this.#show(view.runId ?? this.defaultRunId(), view);
    });
    // The list of corpora lacks the headings, and corpora that other clients have uploaded since.
    store.watch(
      (state) => [state.run?.corpus],
      (corpus) => {
        if (corpus && !store.get().corpora[corpus]?.headings) this.#loadCorpus(corpus);
      },
    );
    // A queued run names the runs it waits for; no message reports their changes.
    setInterval(() => {
      const waits = store.get().run?.state === "queued";
      if (waits && document.visibilityState === "visible") this.refreshRuns();
    }, RETRY_MS);
  }

  /** Show the run in the URL, or choose one. Retry while the server cannot be reached. */
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

  /**
   * Open a run; the browser's Back button returns to the previous one.
   *
   * @param {string | null} id
   */
  open(id) {
    if (id === this.#store.get().runId) return;
    this.#show(id);
    history.pushState(null, "", urlOf(this.#store.get()) + location.hash);
  }

  /**
   * Show what the presenter of a lecture looks at. What is loaded for the same range and the same
   * smoothing stays.
   *
   * @param {string} search the URL from the question mark on.
   */
  follow(search) {
    const state = this.#store.get();
    const view = stateFromUrl(search);
    const id = view.runId ?? this.defaultRunId();
    if (id === state.runId) {
      const { range = null, smoothing = null } = view;
      if (JSON.stringify(range) === JSON.stringify(state.range?.map(Math.round) ?? null)) {
        Object.assign(view, { range: state.range, detail: state.detail });
      }
      if (smoothing === state.smoothing) view.smoothed = state.smoothed;
    }
    this.#show(id, view);
  }

  /**
   * Open a run that was just created.
   *
   * @param {Run} run
   */
  async openNew(run) {
    await this.refreshRuns();
    this.open(run.id);
  }

  /**
   * Fetch the list of runs.
   *
   * @returns {Promise<boolean>} whether the server could be reached.
   */
  async refreshRuns() {
    const runs = await api.nullOnProblem(api.listRuns());
    if (runs) this.#store.dispatch({ type: "runs", runs });
    return runs !== null;
  }

  /** The run to show if the URL names none; null if there are no runs. */
  defaultRunId() {
    return defaultRun(this.#store.get().runs ?? []);
  }

  /**
   * @param {string | null} id
   * @param {object} [view] the part of the state that the URL sets; see url-state.js.
   */
  #show(id, view = {}) {
    const moved = id !== this.#store.get().runId || !this.#socket;
    if (moved) this.#socket?.close();
    this.#store.dispatch({ type: moved ? "open" : "setView", runId: id, view });
    if (!moved) return;
    this.#socket = null;
    if (!id) return;
    this.#socket = new LiveSocket(api.runStream(id), {
      message: (message) => this.#receive(message),
      connection: (connection) => {
        this.#store.dispatch({ type: "connection", connection });
        if (connection.status === "gone") this.#replaceMissingRun(id);
      },
    });
  }

  /** @param {ServerMessage} message */
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

  /** @param {string} id */
  async #loadCorpus(id) {
    const corpus = await api.nullOnProblem(api.getCorpus(id));
    if (corpus) this.#store.dispatch({ type: "corpus", corpus });
  }

  /** @param {string} id */
  async #replaceMissingRun(id) {
    await this.refreshRuns();
    if (this.#store.get().runId !== id) return;
    const others = (this.#store.get().runs ?? []).filter((run) => run.id !== id);
    const next = defaultRun(others);
    const { run } = this.#store.get();
    const gone = run?.id === id ? `“${run.name}” was deleted` : "The requested run does not exist";
    const name = others.find((each) => each.id === next)?.name;
    toast(next ? `${gone}. This is “${name}”.` : `${gone}, and there are no other runs.`);
    this.#show(next);
  }
}

/**
 * The newest run that is training, or else the newest one.
 *
 * @param {Run[]} runs newest first.
 */
function defaultRun(runs) {
  return (runs.find(({ state }) => state === "running") ?? runs[0])?.id ?? null;
}
