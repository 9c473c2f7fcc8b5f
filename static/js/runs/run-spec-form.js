/** The fields of the form for a new run: filled by a preset, read as a spec. */

import { el, find, setText } from "../lib/dom.js";
import {
  parameterCount,
  PRESET_DESCRIPTIONS,
  PRESETS,
  DEFAULT_RATES,
  describeOverrides,
  DEFAULT_SPEC,
} from "./run-spec.js";

const NUMBERS = [
  "hidden_size",
  "layers",
  "dropout",
  "sequence_length",
  "batch_size",
  "learning_rate",
  "learning_rate_decay",
  "validation_fraction",
  "seed",
  "sample_every",
];
const CHOICES = ["cell", "optimizer", "dtype"];

export class RunSpecForm {
  #fields;
  #buttons;
  #optimizer = DEFAULT_SPEC.optimizer;
  #changed;

  /**
   * @param {HTMLFormElement} form
   * @param {() => void} changed called when a field changes.
   */
  constructor(form, changed) {
    this.#fields = form.elements;
    this.#changed = changed;
    this.#buttons = Object.entries(PRESETS).map(([name, preset]) =>
      el("button", {
        type: "button",
        class: "button button-small button-pressed",
        text: name,
        on: { click: () => this.fill(preset) },
      }),
    );
    find("#presets").replaceChildren(...this.#buttons);
    form.addEventListener("input", () => this.#update());
    this.#update();
  }

  /** Fill the form with a spec; corpus, name and seed stay. */
  fill(spec) {
    const { fan_in: fanIn, endless } = this.#fields;
    for (const [name, value] of Object.entries(spec)) {
      if (value !== null) this.#fields[name].value = String(value);
    }
    fanIn.checked = spec.init_scale === null;
    endless.checked = spec.max_updates === null;
    this.#optimizer = spec.optimizer;
    this.#update();
  }

  /** The spec that the form describes; an empty field leaves the choice to the server. */
  spec() {
    const fields = this.#fields;
    const spec = { corpus: fields.corpus.value };
    if (fields.name.value.trim()) spec.name = fields.name.value.trim();
    for (const name of CHOICES) spec[name] = fields[name].value;
    for (const name of NUMBERS) put(spec, name, fields[name]);
    if (fields.endless.checked) spec.max_updates = null;
    else put(spec, "max_updates", fields.max_updates);
    if (fields.fan_in.checked) spec.init_scale = null;
    else put(spec, "init_scale", fields.init_scale);
    if (fields.clip_mode.value === "none") {
      spec.clip = null;
    } else {
      spec.clip_mode = fields.clip_mode.value;
      put(spec, "clip", fields.clip);
    }
    spec.pace = Number(fields.pace.value) || fields.pace.value;
    return spec;
  }

  /** The number of parameters for K distinct characters; null if the sizes are invalid. */
  parameters(K) {
    const spec = { ...DEFAULT_SPEC, ...this.spec() };
    const valid = [spec.hidden_size, spec.layers].every((n) => Number.isInteger(n) && n > 0);
    return valid ? parameterCount(spec, K) : null;
  }

  /** Update the fields that depend on others. */
  #update() {
    const fields = this.#fields;
    const { value: optimizer } = fields.optimizer;
    if (optimizer !== this.#optimizer) {
      const own = Number(fields.learning_rate.value) !== DEFAULT_RATES[this.#optimizer];
      if (!own) fields.learning_rate.value = String(DEFAULT_RATES[optimizer]);
      this.#optimizer = optimizer;
    }
    fields.max_updates.disabled = fields.endless.checked;
    fields.init_scale.disabled = fields.fan_in.checked;
    fields.clip.disabled = fields.clip_mode.value === "none";
    const spec = { ...DEFAULT_SPEC, ...this.spec() };
    setText(find("#advanced-summary"), describeOverrides(spec));
    const matching = Object.entries(PRESETS).map(([name, preset]) => {
      const matches = Object.entries(preset).every(([field, value]) => spec[field] === value);
      return matches ? name : null;
    });
    this.#buttons.forEach((button, i) =>
      button.setAttribute("aria-pressed", String(matching[i] !== null)),
    );
    setText(
      find("#preset-about"),
      PRESET_DESCRIPTIONS[matching.find(Boolean)] ?? "Custom settings.",
    );
    this.#changed();
  }
}

function put(spec, name, { value }) {
  if (value !== "") spec[name] = Number(value);
}
