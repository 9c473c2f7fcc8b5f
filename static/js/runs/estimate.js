/** The estimate for a new run, measured by the server while the form is filled in. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

const DEBOUNCE_MS = 350;

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
   */
  ask(spec) {
    // The name and the seed do not affect the cost.
    const { name, seed, ...costs } = spec;
    const asked = JSON.stringify(costs);
    if (asked === this.#asked) return;
    this.#asked = asked;
    this.cancel();
    setText(this.#speed, "measuring its speed");
    this.#timer = setTimeout(() => this.#measure(spec), DEBOUNCE_MS);
  }

  /** Cancel the request. */
  cancel() {
    clearTimeout(this.#timer);
    this.#request?.abort();
  }

  async #measure(spec) {
    const request = new AbortController();
    this.#request = request;
    try {
      const estimate = await api.estimateRun(spec, request.signal);
      if (this.#request !== request) return;
      setText(this.#size, `, ${format.bytes(estimate.memory_bytes)} of memory`);
      setText(this.#speed, speedText(estimate, spec));
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

function speedText(estimate, { pace }) {
  const speed = `about ${format.speed(estimate.updates_per_second)} updates per second here`;
  return [speed, durationText(estimate, pace)].filter(Boolean).join(": ");
}

/** "13 s, 5.4 epochs"; a slower pace takes correspondingly longer. */
function durationText({ seconds, epochs, updates_per_second: speed }, pace) {
  if (seconds === null) return "";
  const updates = seconds * speed;
  const slowed = typeof pace === "number" ? Math.max(seconds, updates / pace) : seconds;
  const time = `${pace === "cinematic" ? "at least " : ""}${format.timeSpan(slowed)}`;
  return `${time}, ${format.loss(epochs)} epochs`;
}
