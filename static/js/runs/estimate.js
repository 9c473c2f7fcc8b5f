/** The estimate for a new run, measured by the server while the form is filled in. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

const DEBOUNCE_MS = 350;
/** Less is within the error of the measurement. */
const MIN_GAIN = 1.05;

/** @typedef {{field: string, message: string}} FieldProblem */

export class Estimate {
  #size = find("#estimate-size");
  #speed = find("#estimate-speed");
  /** @type {FieldProblem[]} */
  #errors = [];
  #timer = null;
  #request = null;
  #asked = null;
  #invalid;
  /** The last estimate and its spec. @type {{estimate: any, spec: any} | null} */
  #found = null;
  /** The number of runs of a sweep; 0 for a single run. */
  #runs = 0;
  /** The number of runs that train at the same time, once it is known. */
  #slots = 1;

  /**
   * @param {(earlier: FieldProblem[], fields: FieldProblem[]) => void} invalid called with the
   *   fields that allowed no estimate before, and those that allow none now.
   */
  constructor(invalid) {
    this.#invalid = invalid;
  }

  /**
   * Request an estimate for a spec, once the user pauses.
   *
   * @param {any} spec
   * @param {number} runs of a sweep; 0 for a single run.
   */
  ask(spec, runs) {
    if (runs && !this.#runs) this.#countSlots();
    this.#runs = runs;
    this.#showFound();
    // The name and the seed do not affect the cost.
    const { name, seed, ...costs } = spec;
    const asked = JSON.stringify(costs);
    if (asked === this.#asked) return;
    this.#found = null;
    this.cancel();
    this.#asked = asked;
    setText(this.#speed, "measuring its speed");
    this.#timer = setTimeout(() => this.#measure(spec), DEBOUNCE_MS);
  }

  /** Cancel the request. Without an estimate, the next `ask` requests it again. */
  cancel() {
    clearTimeout(this.#timer);
    this.#request?.abort();
    if (!this.#found) this.#asked = null;
  }

  async #measure(spec) {
    const request = new AbortController();
    this.#request = request;
    try {
      const estimate = await api.estimateRun(spec, request.signal);
      if (this.#request !== request) return;
      setText(this.#size, `, ${format.bytes(estimate.memory_bytes)} of memory`);
      this.#found = { estimate, spec };
      this.#showFound();
      this.#show([]);
    } catch (error) {
      if (error.name === "AbortError") return;
      if (!(error instanceof api.Problem)) throw error;
      this.#asked = null;
      if (this.#request !== request) return;
      setText(this.#size, "");
      setText(this.#speed, `No estimate. ${reason(error)}`);
      this.#show(error.fields);
    }
  }

  #showFound() {
    if (!this.#found) return;
    const { estimate, spec } = this.#found;
    const text = this.#runs
      ? sweepText(estimate, spec, Math.ceil(this.#runs / this.#slots))
      : speedText(estimate, spec);
    setText(this.#speed, text);
  }

  async #countSlots() {
    const machines = await api.nullOnProblem(api.listMachines());
    const slots = machines?.reduce((sum, machine) => sum + machine.slots, 0);
    this.#slots = slots || 1;
    this.#showFound();
  }

  /**
   * Only its own messages change: others are from an upload, or from the last attempt to start.
   *
   * @param {FieldProblem[]} fields
   */
  #show(fields) {
    if (fields.length || this.#errors.length) this.#invalid(this.#errors, fields);
    this.#errors = fields;
  }
}

/** @param {api.Problem} problem */
function reason({ fields, message }) {
  if (!fields.length) return message;
  return fields.length === 1 ? "One setting is invalid." : `${fields.length} settings are invalid.`;
}

function speedText(estimate, spec) {
  const speed = `about ${format.speed(estimate.updates_per_second)} updates per second here`;
  const cost = [speed, durationText(estimate, spec.pace)].filter(Boolean).join(": ");
  return [cost, threadsText(estimate, spec)].filter(Boolean).join(". ");
}

/** "2 threads: 1.7 times as fast as one"; only a stream has a thread. */
function threadsText(estimate, { threads = 1, batch_size: streams = 1 }) {
  const { updates_per_second: speed, one_thread_updates_per_second: one } = estimate;
  if (threads === 1) return "";
  if (streams === 1) return "A batch of one stream uses one thread";
  const used = `${format.count(Math.min(threads, streams))} threads`;
  const ratio = speed / one;
  return ratio < MIN_GAIN
    ? `${used}: no faster than one`
    : `${used}: ${ratio.toFixed(1)} times as fast as one`;
}

/**
 * "about 7,900 updates per second here: 13 s a run, about 6 min in all".
 *
 * @param {any} estimate
 * @param {any} spec
 * @param {number} rounds how many runs train one after another.
 */
function sweepText(estimate, { pace }, rounds) {
  const speed = `about ${format.speed(estimate.updates_per_second)} updates per second here`;
  const each = secondsOf(estimate, pace);
  if (each === null) return speed;
  const all = format.timeSpan(each * rounds);
  return `${speed}: ${format.timeSpan(each)} a run, about ${all} in all`;
}

/**
 * The time that a run takes; null without an end. A slower pace takes correspondingly longer.
 *
 * @param {any} estimate
 * @param {any} pace
 */
function secondsOf({ seconds, updates_per_second: speed }, pace) {
  if (seconds === null || typeof pace !== "number") return seconds;
  return Math.max(seconds, (seconds * speed) / pace);
}

/** "13 s, 5.4 epochs". */
function durationText(estimate, pace) {
  const seconds = secondsOf(estimate, pace);
  if (seconds === null) return "";
  const time = `${pace === "cinematic" ? "at least " : ""}${format.timeSpan(seconds)}`;
  return `${time}, ${format.loss(estimate.epochs)} epochs`;
}
