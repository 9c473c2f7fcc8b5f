/** The memory view: how far back in time gradients reach, of up to three runs. */

import * as api from "../../net/api.js";
import { el, find, setText, svg } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { RunSelect } from "../../run-lists/select.js";
import { Refresher } from "../state/refresher.js";
import { COMPARED, comparedIds } from "./compared-runs.js";
import { MemoryChart } from "./memory-chart.js";

const LEAST_PERCENT = 1e-5;
const decimals = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 2 });

/** @param {InsideStore} store */
export function mountMemoryView(store) {
  const slider = find("#memory-lag");
  const set = (/** @type {object} */ values) => store.dispatch({ type: "set", values });
  const chart = new MemoryChart(find("#memory-plot"), (lag) => set({ lag }));
  const slots = Array.from({ length: COMPARED + 1 }, (_, i) => new Slot(i, chosen));
  find("#memory-runs").append(...slots.map(({ element }) => element));
  slider.addEventListener("input", () => set({ lag: slider.valueAsNumber }));

  /** @param {number} slot from 1. @param {string} id */
  function chosen(slot, id) {
    const ids = comparedIds(store.get());
    ids[slot - 1] = id;
    set({ compared: ids.map((other, i) => (other === id && i !== slot - 1 ? "" : other)) });
  }

  new Refresher(store, {
    wanted(state) {
      const { view, runId, source } = state;
      if (view !== "memory" || !runId) return null;
      return { run: runId, compared: comparedIds(state), source };
    },
    fetch: ({ run, compared, source }, signal) =>
      Promise.all([
        api.getMemory(run, source, signal),
        // A run that cannot be read leaves the others.
        ...compared.map((id) => (id ? orNull(api.getMemory(id, source, signal)) : null)),
      ]),
    show: (memories, { run, compared }) =>
      set({
        memories: memories.map((memory, i) => ({ id: [run, ...compared][i], memory })),
        problem: null,
      }),
    refuse: (problem) => set({ problem: problem.message }),
  });

  store.watch(
    (state) => [state.memories, state.runs, state.run?.name, state.compared, state.lag],
    (memories, runs) => {
      const state = store.get();
      const ids = [state.runId, ...comparedIds(state)];
      const of = ids.map((id) => memories?.find((each) => each.id === id && id)?.memory ?? null);
      const [own] = of;
      find("#memory-view").dataset.ready = String(own !== null);
      slots.forEach((slot, i) => slot.show(runs ?? [], ids, of[i], lagOf(state, own)));
      if (!own) return;
      const last = { slot: "last", norms: own.gradient_by_lag };
      chart.show(
        [last, ...of.flatMap((memory, i) => (memory ? [lineOf(memory, i)] : []))],
        own.sequence_length,
      );
      const lag = lagOf(state, own);
      chart.mark(lag);
      slider.max = String(own.gradient_by_lag.length - 1);
      slider.value = String(lag);
      slider.setAttribute("aria-valuetext", spoken(of, ids, runs ?? [], lag));
      setText(find("#memory-lag-value"), format.count(lag));
      setText(find("#memory-about"), aboutMeasure(own));
    },
  );
}

/** One of the runs: its line in the chart, its name or the choice of it, and its figures. */
class Slot {
  #number;
  #select = el("select", { "aria-label": "Run to compare" });
  /** @type {RunSelect | null} */
  #options = null;
  #name = el("b");
  #network = el("span", { class: "hint" });
  #half = el("p", { class: "memory-half" });
  #left = el("p", { class: "memory-left" });

  /**
   * @param {number} number 0 is the run in view.
   * @param {(slot: number, id: string) => void} chosen
   */
  constructor(number, chosen) {
    this.#number = number;
    this.#select.addEventListener("change", () => chosen(number, this.#select.value));
    const line = svg("path", { class: `memory-line memory-line-${number}`, d: "M0 50H100" });
    const swatch = svg("svg", { viewBox: "0 0 100 100", preserveAspectRatio: "none" }, line);
    swatch.setAttribute("class", "memory-swatch");
    swatch.setAttribute("aria-hidden", "true");
    const name = number ? el("span", { class: "field" }, this.#select) : this.#name;
    if (number) this.#options = new RunSelect(this.#select, "no run");
    const head = el("div", { class: "memory-run-head" }, swatch, name);
    this.element = el("li", {}, head, this.#network, this.#half, this.#left);
  }

  /**
   * @param {Run[]} runs
   * @param {(string | null)[]} ids of all slots.
   * @param {Memory | null} memory
   * @param {number} lag the steps back that are read off.
   */
  show(runs, ids, memory, lag) {
    const id = ids[this.#number] ?? "";
    const run = runs.find((each) => each.id === id);
    setText(this.#name, run?.name ?? "");
    if (this.#number) this.#list(runs, ids, id);
    setText(this.#network, memory && run ? networkOf(run, memory) : "");
    setText(this.#half, memory?.sentence ?? "");
    setText(this.#left, memory ? leftSentence(memory, lag) : "");
  }

  /**
   * @param {Run[]} runs
   * @param {(string | null)[]} ids
   * @param {string} id
   */
  #list(runs, [own], id) {
    const others = runs.filter((run) => run.id !== own);
    this.#options?.show(others, id);
  }
}

/** The steps back that are read off: by default as many as training carries gradients. */
function lagOf({ lag }, /** @type {Memory | null} */ memory) {
  if (!memory) return lag ?? 0;
  return Math.min(lag ?? memory.sequence_length, memory.gradient_by_lag.length - 1);
}

/** The last layer's h. @param {Memory} memory */
const normsOf = ({ typical }) => typical.findLast(({ state }) => state === "h")?.norms ?? [];

/** @param {Memory} memory @param {number} slot */
const lineOf = (memory, slot) => ({ slot: String(slot), norms: normsOf(memory) });

/** @param {Run} run @param {Memory} memory */
const networkOf = ({ spec }, { model }) =>
  [
    `${spec.cell} ${format.count(spec.hidden_size)}`,
    spec.layers > 1 && `last of ${spec.layers} layers`,
    `update ${format.count(model.update)}`,
  ]
    .filter(Boolean)
    .join(", ");

/** @param {Memory} memory @param {number} lag */
function leftSentence(memory, lag) {
  const norms = normsOf(memory);
  const [first, norm] = [norms[0], norms[lag]];
  if (!first || norm === null || norm === undefined) return "";
  const share = norm / first;
  const steps = format.plural(lag, "step", "steps");
  if (share > 2) return `${steps} back it is ${timesText(share)} times as great.`;
  return `${percentText(share)} of it is left ${steps} back.`;
}

const timesText = (/** @type {number} */ times) =>
  times < 1e6 ? format.count(times) : times.toExponential(1).replace("e+", "e");

const percentText = (/** @type {number} */ share) => {
  const percent = 100 * share;
  if (percent >= 10) return `${format.count(percent)}%`;
  if (percent < LEAST_PERCENT) return `Less than ${LEAST_PERCENT.toFixed(5)}%`;
  return `${decimals.format(percent)}%`;
};

/**
 * What the slider reads off, in words.
 *
 * @param {(Memory | null)[]} memories
 * @param {(string | null)[]} ids
 * @param {Run[]} runs
 * @param {number} lag
 */
function spoken(memories, ids, runs, lag) {
  const left = memories.map((memory, i) => {
    const name = runs.find(({ id }) => id === ids[i])?.name;
    return memory && name ? ` ${name}: ${leftSentence(memory, lag)}` : "";
  });
  return `${format.plural(lag, "step", "steps")} back.${left.join("")}`;
}

/** @param {Memory} memory */
const aboutMeasure = ({ losses }) =>
  "Each line is the norm of the gradient of a loss with respect to the hidden state 0, 1, 2, ... " +
  `steps back, as a share of that at 0: the geometric mean of ${format.count(losses)} losses on ` +
  "the text that the run reads next. The thin line is the last loss alone.";

/** @type {(promise: Promise<Memory>) => Promise<Memory | null>} */
const orNull = (promise) =>
  promise.catch((error) => {
    if (error instanceof api.Problem && error.status !== 429) return null;
    throw error;
  });
