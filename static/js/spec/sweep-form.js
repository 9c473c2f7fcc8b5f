/** The part of the form for a new run that turns it into a sweep. */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import {
  configurationCount,
  DEFAULT_OPTIONS,
  formatSweep,
  gridSize,
  parseSweep,
} from "./ranges.js";
import { FIELDS } from "./run-spec.js";
import { VaryField } from "./vary-field.js";

/** A sweep names, starts and paces its runs by itself. */
const NOT_SHARED = ["name", "paused"];

export class SweepForm {
  #form;
  #switch = find("#vary");
  #sampler;
  #fields;

  /**
   * @param {HTMLFormElement} form
   * @param {(name: string) => any} valueOf the value of a field in the form.
   * @param {() => void} changed
   */
  constructor(form, valueOf, changed) {
    this.#form = form;
    this.#sampler = /** @type {any} */ (form.elements.namedItem("sampler"));
    const buttons = [...form.querySelectorAll("[data-vary]")];
    this.#fields = buttons.map((button) => new VaryField(button, valueOf, changed));
    this.#switch.addEventListener("change", () => this.#show());
    this.#show();
  }

  get isOn() {
    return this.#switch.checked;
  }

  /** What varies, by the names of the fields. @returns {Record<string, SweepRange>} */
  get parameters() {
    if (!this.isOn) return {};
    const all = this.#fields.flatMap(({ name, range }) => (range ? [[name, range]] : []));
    return Object.fromEntries(all);
  }

  /** The number of runs; 0 as long as nothing varies. */
  get runs() {
    const { parameters } = this;
    if (!Object.keys(parameters).length) return 0;
    const { runs, seeds } = this.#options();
    return configurationCount(parameters, this.#chosenSampler(), runs) * seeds;
  }

  /**
   * The sweep of some settings.
   *
   * @param {Record<string, any>} spec
   * @returns {any} the request.
   */
  request(spec) {
    const { parameters } = this;
    const shared = Object.entries(spec).filter(
      ([name]) => !(name in parameters) && !NOT_SHARED.includes(name) && !this.#follows(name, spec),
    );
    const { runs, ...options } = this.#options();
    const sampler = this.#chosenSampler();
    return {
      ...(spec.name && { name: spec.name }),
      spec: Object.fromEntries(shared),
      parameters,
      ...options,
      sampler,
      runs: configurationCount(parameters, sampler, runs),
    };
  }

  /** The sweep as a text for the URL; null while it is off. */
  get text() {
    return this.isOn ? formatSweep(this.parameters, this.#options()) : null;
  }

  /**
   * Set the switch, what varies and the options.
   *
   * @param {string | null} text as in the URL; null: off.
   */
  fill(text) {
    const names = this.#fields.map(({ name }) => name);
    const { parameters, options } = parseSweep(text ?? "", names);
    this.#switch.checked = text !== null;
    for (const field of this.#fields) field.set(parameters[field.name] ?? null);
    for (const name of ["runs", "seeds", "goal"]) this.#control(name).value = String(options[name]);
    this.#control("stop_early").checked = options.stop_early;
    this.#sampler.value = options.sampler ?? "";
    this.#show();
  }

  /** Update what depends on the other controls. */
  update() {
    const { parameters } = this;
    const combinations = gridSize(parameters);
    const isGrid = this.#chosenSampler() === "grid";
    const hasRange = combinations === Infinity;
    for (const option of this.#sampler.options) {
      if (option.value === "grid") option.disabled = hasRange;
    }
    if (hasRange && this.#sampler.value === "grid") this.#sampler.value = "";
    this.#control("runs").disabled = isGrid;
    const varies = Object.keys(parameters).length > 0;
    setText(
      find("#sweep-hint"),
      !varies
        ? "Choose “vary” beside each setting that should have several values."
        : isGrid
          ? `All ${format.plural(combinations, "combination", "combinations")} of the values.`
          : "",
    );
  }

  #show() {
    this.#form.toggleAttribute("data-varying", this.isOn);
    find("#sweep-options").hidden = !this.isOn;
  }

  #options() {
    const number = (/** @type {string} */ name) => {
      const { value } = this.#control(name);
      return value === "" ? DEFAULT_OPTIONS[name] : Number(value);
    };
    return {
      sampler: this.#sampler.value || null,
      runs: number("runs"),
      seeds: number("seeds"),
      goal: this.#control("goal").value,
      stop_early: this.#control("stop_early").checked,
    };
  }

  /** By default a grid of lists; with a range TPE, where Optuna is installed, or random values. */
  #chosenSampler() {
    if (this.#sampler.value) return this.#sampler.value;
    if (gridSize(this.parameters) < Infinity) return "grid";
    return this.#sampler.dataset.ofRanges;
  }

  /**
   * Whether the server should choose the default of a field by another one that varies.
   *
   * @param {string} name
   * @param {Record<string, any>} spec
   */
  #follows(name, spec) {
    const by = FIELDS[name]?.default_by;
    if (!by || !(by.field in this.parameters)) return false;
    return spec[name] === by.defaults[spec[by.field]];
  }

  /** @param {string} name */
  #control(name) {
    return /** @type {any} */ (this.#form.elements.namedItem(name));
  }
}
