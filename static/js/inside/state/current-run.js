/** The run that the page looks into: the list of runs, the messages of one, and its snapshots. */

import * as api from "../../net/api.js";
import { LiveSocket } from "../../net/live-socket.js";
import { changedView } from "../../state/url-state.js";
import { toast } from "../../ui/toasts.js";
import { initialState, PARAMETERS, VIEW_KEYS } from "./reducers.js";

const RETRY_MS = 3000;

export class CurrentRun {
  #store;
  /** @type {LiveSocket | null} */
  #socket = null;

  /** @param {InsideStore} store */
  constructor(store) {
    this.#store = store;
  }

  /**
   * Show the run of the URL, or else the newest one. Retry while the server cannot be reached.
   *
   * @param {string | undefined} id the run in the URL.
   * @param {Partial<InsideState>} values the part of the run's state that the URL sets.
   */
  async start(id, values) {
    if (!(await this.refresh())) {
      setTimeout(() => this.start(id, values), RETRY_MS);
      return;
    }
    const runs = this.#store.get().runs ?? [];
    if (id === undefined || runs.some((run) => run.id === id)) {
      this.open(id ?? this.#defaultId(), values);
    } else {
      this.#replace();
    }
  }

  /**
   * @param {string | null} id
   * @param {Partial<InsideState>} [values] parts of the state that the run starts with.
   */
  open(id, values = {}) {
    this.#socket?.close();
    this.#socket = null;
    this.#store.dispatch({ type: "open", runId: id, values });
    if (!id) return;
    this.#loadText(id);
    this.#loadSnapshots(id);
    this.#socket = new LiveSocket(api.runStream(id), {
      message: (message) => {
        this.#store.dispatch({ type: "message", message });
        // A snapshot is taken with each sample; a run that went back has lost some.
        if (message.type === "sample" || message.type === "snapshot") this.#loadSnapshots(id);
      },
      connection: (connection) => {
        this.#store.dispatch({ type: "set", values: { connection } });
        if (connection.status === "gone") this.#replaceMissing(id);
      },
    });
  }

  /**
   * Show what the presenter of a lecture looks at.
   *
   * @param {string} search the URL from the question mark on.
   */
  follow(search) {
    const state = this.#store.get();
    const initial = initialState({ runId: this.#defaultId() });
    const wanted = changedView(search, PARAMETERS, VIEW_KEYS, initial, state);
    const { runId, ...view } = wanted;
    const { source, text, position, unit, stretch, ...ofPage } = view;
    if (runId === state.runId) {
      const read = text ?? state.defaultText;
      this.#store.dispatch({ type: "set", values: { ...view, text: read } });
    } else {
      this.#store.dispatch({ type: "set", values: { ...ofPage, text: null } });
      this.open(runId, { source, text, position, unit, stretch });
    }
  }

  /** Fetch the list of runs. @returns {Promise<boolean>} whether the server could be reached. */
  async refresh() {
    const runs = await api.nullOnProblem(api.listRuns());
    if (runs) this.#store.dispatch({ type: "set", values: { runs } });
    return runs !== null;
  }

  #defaultId() {
    const runs = this.#store.get().runs ?? [];
    return (runs.find(({ state }) => state === "running") ?? runs[0])?.id ?? null;
  }

  /** @param {string} id */
  async #loadText(id) {
    const found = await api.nullOnProblem(api.getProbeText(id));
    if (this.#store.get().runId !== id) return;
    if (found) this.#store.dispatch({ type: "defaultText", text: found.text });
    else setTimeout(() => this.#store.get().runId === id && this.#loadText(id), RETRY_MS);
  }

  /** @param {string} id */
  async #loadSnapshots(id) {
    const found = await api.nullOnProblem(api.getSnapshots(id));
    if (!found || this.#store.get().runId !== id) return;
    this.#store.dispatch({ type: "set", values: { snapshots: found.updates } });
  }

  /** @param {string} id */
  async #replaceMissing(id) {
    await this.refresh();
    if (this.#store.get().runId === id) this.#replace();
  }

  #replace() {
    toast("The requested run does not exist, or was deleted.");
    this.open(this.#defaultId());
  }
}
