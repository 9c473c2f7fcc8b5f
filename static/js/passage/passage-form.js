/** The settings of a passage, stored in this browser. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { LIMITS } from "../lib/limits.js";
import { isExact } from "../state/passage-link.js";

const KEY = "hurrah-passage";
const MAX_SEED = 1_000_000; // short enough to be spoken
const DEFAULT_TEMPERATURES = [0.4, 0.7, 1.0, 1.3];
const FIELDS = ["source", "length", "temperature", "seed", "prime", "several", "top_k", "top_p"];
const MODELS = {
  best: "best",
  best_validation: "best by validation",
  latest: "latest",
  exact: "of the link",
  "": "best",
};
const REMEMBERED = ["length", "temperature", "prime", "several", "top_k", "top_p"];

export class PassageForm {
  #form = find("#passage-form");
  #fields;
  #temperatures = new Set(DEFAULT_TEMPERATURES);
  #exact = null; // the exact model that a link names
  #hint = find("#passage-hint");

  constructor() {
    // By name, since a collection of fields has a `length` property.
    this.#fields = Object.fromEntries(
      FIELDS.map((name) => [name, this.#form.elements.namedItem(name)]),
    );
    this.#restore();
    this.#form.addEventListener("input", () => this.#update());
    this.#form.addEventListener("change", () => this.#remember());
    const other = find("#passage-other-temperature");
    const add = () => {
      if (!other.value || !other.checkValidity()) return false;
      this.#temperatures.add(Number(other.value));
      other.value = "";
      this.#update();
      this.#remember();
      return true;
    };
    other.addEventListener("change", add);
    // The first Enter adds the temperature, the next one submits.
    other.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && add()) event.preventDefault();
    });
    this.#mountHints();
    this.#update();
  }

  get element() {
    return this.#form;
  }

  /** Whether several temperatures are shown side by side. */
  get several() {
    return this.#fields.several.value === "several";
  }

  set seed(seed) {
    this.#fields.seed.value = String(seed);
  }

  randomizeSeed() {
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    this.seed = random % MAX_SEED;
  }

  /** The request that the form describes. */
  request() {
    const { source, length, temperature, prime, seed, top_k: topK, top_p: topP } = this.#fields;
    const request = {
      source: source.value === "exact" && this.#exact ? this.#exact : source.value,
      length: Number(length.value),
      prime: prime.value,
      seed: numberOrNull(seed),
      top_k: numberOrNull(topK),
      top_p: numberOrNull(topP),
    };
    return this.several
      ? { ...request, temperatures: [...this.#temperatures].sort((a, b) => a - b) }
      : { ...request, temperature: Number(temperature.value) };
  }

  /** Fill in the request of a link; the stored settings stay unchanged. */
  fill(passage, state) {
    const { source, several, ...plain } = this.#fields;
    for (const [name, field] of Object.entries(plain)) {
      const value = passage[name];
      field.value = value === null || value === undefined ? "" : String(value);
    }
    several.value = passage.temperatures ? "several" : "one";
    if (passage.temperatures) this.#temperatures = new Set(passage.temperatures);
    else this.#fields.temperature.value = String(passage.temperature);
    this.#exact = isExact(passage.source) ? passage.source : null;
    find("#passage-more").open = passage.top_k !== null || passage.top_p !== null;
    this.fillSources(state, this.#exact ? "exact" : passage.source);
  }

  /** List the models that exist. */
  fillSources({ checkpoints, run }, chosen = this.#fields.source.value || "best") {
    const { source } = this.#fields;
    const option = (value, text) => el("option", { value, text });
    const saved = [...checkpoints].reverse();
    const heldOut = run?.spec.validation_fraction > 0;
    const linked = this.#exact && `model of the link, update ${format.count(this.#exact.update)}`;
    source.replaceChildren(
      option("best", "best model"),
      ...(heldOut ? [option("best_validation", "best by validation")] : []),
      option("latest", "latest model"),
      ...(linked ? [option("exact", linked)] : []),
      ...saved.map(({ id, update }) => option(id, `checkpoint ${format.count(update)}`)),
    );
    source.value = chosen;
    if (!source.value) source.value = "best";
    this.#update();
  }

  /** Another run has other models. */
  clearSources() {
    this.#exact = null;
    this.#fields.source.replaceChildren();
    this.#update();
  }

  /** Update what depends on the fields. */
  #update() {
    const { temperature, top_k: topK, top_p: topP, length } = this.#fields;
    const { several } = this;
    find("#passage-one").hidden = several;
    find("#passage-temperatures").hidden = !several;
    setText(
      find("#passage-temperature-value"),
      several ? "" : Number(temperature.value).toFixed(2),
    );
    this.#showTemperatures();
    const set = [topK.value && `top-k ${topK.value}`, topP.value && `top-p ${topP.value}`];
    setText(find("#passage-more-summary"), set.filter(Boolean).join(", "));
    // The button below the drawer shows the settings it will use.
    const { source } = this.#fields;
    setText(
      find("#write-model"),
      MODELS[source.value] ?? source.selectedOptions[0]?.text ?? "best",
    );
    const characters = length.validity.valid ? Number(length.value) : Number(length.max);
    setText(find("#write-length"), format.count(characters || 1000));
    const temperatures = [...this.#temperatures].sort((a, b) => a - b);
    setText(
      find("#write-temperature"),
      several ? temperatures.join(", ") : String(Number(temperature.value)),
    );
  }

  #showTemperatures() {
    const host = find("#passage-chips");
    const all = [...new Set([...DEFAULT_TEMPERATURES, ...this.#temperatures])].sort(
      (a, b) => a - b,
    );
    find("#passage-other-temperature").hidden = this.#temperatures.size >= LIMITS.temperatures;
    const shown = [...host.querySelectorAll("input")].map(({ value }) => Number(value));
    if (shown.join() !== all.join())
      host.replaceChildren(...all.map((temperature) => this.#chip(temperature)));
    for (const box of host.querySelectorAll("input")) {
      box.checked = this.#temperatures.has(Number(box.value));
      // At least one must stay selected.
      box.disabled = box.checked && this.#temperatures.size === 1;
    }
  }

  #chip(temperature) {
    const box = el("input", { type: "checkbox", value: temperature });
    box.addEventListener("change", () => {
      if (box.checked) this.#temperatures.add(temperature);
      else this.#temperatures.delete(temperature);
      this.#update();
      this.#remember();
    });
    // The checkbox has no name, so its input event must not reach the form.
    box.addEventListener("input", (event) => event.stopPropagation());
    return el(
      "label",
      {},
      box,
      el("span", { text: temperature.toFixed(Number.isInteger(temperature * 10) ? 1 : 2) }),
    );
  }

  /** The hint line explains the field under the pointer or with the focus. */
  #mountHints() {
    const defaultHint = this.#hint.textContent;
    const hintOf = (target) => target.closest?.("[data-hint]")?.dataset.hint;
    const show = (event) => setText(this.#hint, hintOf(event.target) ?? defaultHint);
    const back = () => setText(this.#hint, hintOf(document.activeElement) ?? defaultHint);
    this.#form.addEventListener("focusin", show);
    this.#form.addEventListener("pointerover", show);
    this.#form.addEventListener("pointerleave", back);
    this.#form.addEventListener("focusout", () => setText(this.#hint, defaultHint));
  }

  #remember() {
    const stored = Object.fromEntries(REMEMBERED.map((name) => [name, this.#fields[name].value]));
    try {
      localStorage.setItem(
        KEY,
        JSON.stringify({ ...stored, temperatures: [...this.#temperatures] }),
      );
    } catch {
      // Storage may be blocked; the settings then last for this page only.
    }
  }

  #restore() {
    let stored = null;
    try {
      stored = JSON.parse(localStorage.getItem(KEY));
    } catch {
      return;
    }
    if (!stored || typeof stored !== "object") return;
    for (const name of REMEMBERED) {
      if (typeof stored[name] === "string") this.#fields[name].value = stored[name];
    }
    if (!["one", "several"].includes(this.#fields.several.value))
      this.#fields.several.value = "one";
    if (!(Number(this.#fields.length.value) >= 1)) this.#fields.length.value = "1000";
    const temperatures = [stored.temperatures]
      .flat()
      .filter((value) => value >= 0 && value <= LIMITS.temperature)
      .slice(0, LIMITS.temperatures);
    if (temperatures.length) this.#temperatures = new Set(temperatures);
  }
}

const numberOrNull = ({ value }) => (value === "" ? null : Number(value));
