/** What a reader asks of a passage: the fields, kept in this browser from one time to the next. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isExact } from "../state/passage-link.js";

const KEY = "hurrah-passage";
const SEEDS = 1_000_000; // few enough digits to be told to somebody
const WARMTHS = [0.4, 0.7, 1.0, 1.3];
const MOST_WARMTHS = 10;
const FIELDS = ["source", "length", "temperature", "seed", "prime", "several", "top_k", "top_p"];
const MODELS = { best: "best", best_validation: "best by validation", latest: "latest", "": "best" };
const REMEMBERED = ["length", "temperature", "prime", "several", "top_k", "top_p"];

export class PassageForm {
  #form = find("#passage-form");
  #fields;
  #warmths = new Set(WARMTHS);
  #exact = null; // the very model that a link asks for
  #hint = find("#passage-hint");

  constructor() {
    // By name, since a collection of fields has a `length` of its own.
    this.#fields = Object.fromEntries(
      FIELDS.map((name) => [name, this.#form.elements.namedItem(name)]),
    );
    this.#recall();
    this.#form.addEventListener("input", () => this.#follow());
    this.#form.addEventListener("change", () => this.#remember());
    const other = find("#passage-other-warmth");
    const add = () => {
      if (!other.value || !other.checkValidity()) return false;
      this.#warmths.add(Number(other.value));
      other.value = "";
      this.#follow();
      this.#remember();
      return true;
    };
    other.addEventListener("change", add);
    // The first Enter takes the number in, the next one writes.
    other.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && add()) event.preventDefault();
    });
    this.#mountHints();
    this.#follow();
  }

  get element() {
    return this.#form;
  }

  /** Whether several temperatures are to stand side by side. */
  get several() {
    return this.#fields.several.value === "several";
  }

  set seed(seed) {
    this.#fields.seed.value = String(seed);
  }

  rollSeed() {
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    this.seed = random % SEEDS;
  }

  /** What is asked for, as the server takes it. */
  asked() {
    const { source, length, temperature, prime, seed, top_k: topK, top_p: topP } = this.#fields;
    const asked = {
      source: source.value === "exact" && this.#exact ? this.#exact : source.value,
      length: Number(length.value),
      prime: prime.value,
      seed: numberOrNull(seed),
      top_k: numberOrNull(topK),
      top_p: numberOrNull(topP),
    };
    return this.several
      ? { ...asked, temperatures: [...this.#warmths].sort((a, b) => a - b) }
      : { ...asked, temperature: Number(temperature.value) };
  }

  /** Set all fields to what a link asks for; the reader's own settings stay remembered. */
  fill(passage, state) {
    const { source, several, ...plain } = this.#fields;
    for (const [name, field] of Object.entries(plain)) {
      const value = passage[name];
      field.value = value === null || value === undefined ? "" : String(value);
    }
    several.value = passage.temperatures ? "several" : "one";
    if (passage.temperatures) this.#warmths = new Set(passage.temperatures);
    else this.#fields.temperature.value = String(passage.temperature);
    this.#exact = isExact(passage.source) ? passage.source : null;
    find("#passage-more").open = passage.top_k !== null || passage.top_p !== null;
    this.fillSources(state, this.#exact ? "exact" : passage.source);
  }

  /** Offer the models that there are. */
  fillSources({ checkpoints, run }, chosen = this.#fields.source.value || "best") {
    const { source } = this.#fields;
    const option = (value, text) => el("option", { value, text });
    const saved = [...checkpoints].reverse();
    const heldOut = run?.spec.validation_fraction > 0;
    const linked = this.#exact && `as in the link, ${format.count(this.#exact.update)}`;
    source.replaceChildren(
      option("best", "best model"),
      ...(heldOut ? [option("best_validation", "best by validation")] : []),
      option("latest", "latest model"),
      ...(linked ? [option("exact", linked)] : []),
      ...saved.map(({ id, update }) => option(id, `checkpoint ${format.count(update)}`)),
    );
    source.value = chosen;
    if (!source.value) source.value = "best";
    this.#follow();
  }

  /** Another run has other models. */
  forgetSources() {
    this.#exact = null;
    this.#fields.source.replaceChildren();
    this.#follow();
  }

  /** Show what follows from the fields. */
  #follow() {
    const { temperature, top_k: topK, top_p: topP, length } = this.#fields;
    const { several } = this;
    find("#passage-one").hidden = several;
    find("#passage-warmths").hidden = !several;
    setText(find("#passage-temperature"), several ? "" : Number(temperature.value).toFixed(2));
    this.#showWarmths();
    const set = [topK.value && `top-k ${topK.value}`, topP.value && `top-p ${topP.value}`];
    setText(find("#passage-more-summary"), set.filter(Boolean).join(", "));
    // The button below the drawer says what it will do.
    const { source } = this.#fields;
    setText(find("#write-model"), MODELS[source.value] ?? source.selectedOptions[0]?.text ?? "best");
    const asked = length.validity.valid ? Number(length.value) : Number(length.max);
    setText(find("#write-length"), format.count(asked || 1000));
    const warmths = [...this.#warmths].sort((a, b) => a - b);
    setText(find("#write-temperature"), several ? warmths.join(", ") : String(Number(temperature.value)));
  }

  #showWarmths() {
    const host = find("#passage-chips");
    const all = [...new Set([...WARMTHS, ...this.#warmths])].sort((a, b) => a - b);
    find("#passage-other-warmth").hidden = this.#warmths.size >= MOST_WARMTHS;
    const shown = [...host.querySelectorAll("input")].map(({ value }) => Number(value));
    if (shown.join() !== all.join()) host.replaceChildren(...all.map((warmth) => this.#chip(warmth)));
    for (const box of host.querySelectorAll("input")) {
      box.checked = this.#warmths.has(Number(box.value));
      // One has to stay.
      box.disabled = box.checked && this.#warmths.size === 1;
    }
  }

  #chip(warmth) {
    const box = el("input", { type: "checkbox", value: warmth });
    box.addEventListener("change", () => {
      if (box.checked) this.#warmths.add(warmth);
      else this.#warmths.delete(warmth);
      this.#follow();
      this.#remember();
    });
    // Its name is its number; a click on a chip is no text in a field.
    box.addEventListener("input", (event) => event.stopPropagation());
    return el("label", {}, box, el("span", { text: warmth.toFixed(Number.isInteger(warmth * 10) ? 1 : 2) }));
  }

  /** One line says what the field means that is being pointed at or filled in. */
  #mountHints() {
    const usual = this.#hint.textContent;
    const hintOf = (target) => target.closest?.("[data-hint]")?.dataset.hint;
    const show = (event) => setText(this.#hint, hintOf(event.target) ?? usual);
    const back = () => setText(this.#hint, hintOf(document.activeElement) ?? usual);
    this.#form.addEventListener("focusin", show);
    this.#form.addEventListener("pointerover", show);
    this.#form.addEventListener("pointerleave", back);
    this.#form.addEventListener("focusout", () => setText(this.#hint, usual));
  }

  #remember() {
    const kept = Object.fromEntries(REMEMBERED.map((name) => [name, this.#fields[name].value]));
    try {
      localStorage.setItem(KEY, JSON.stringify({ ...kept, temperatures: [...this.#warmths] }));
    } catch {
      // Storage closed to us: the settings then hold for this page only.
    }
  }

  #recall() {
    let kept = null;
    try {
      kept = JSON.parse(localStorage.getItem(KEY));
    } catch {
      return;
    }
    if (!kept || typeof kept !== "object") return;
    for (const name of REMEMBERED) {
      if (typeof kept[name] === "string") this.#fields[name].value = kept[name];
    }
    if (!["one", "several"].includes(this.#fields.several.value)) this.#fields.several.value = "one";
    if (!(Number(this.#fields.length.value) >= 1)) this.#fields.length.value = "1000";
    const warmths = [kept.temperatures].flat().filter((value) => value >= 0 && value <= 100);
    if (warmths.length) this.#warmths = new Set(warmths.slice(0, MOST_WARMTHS));
  }
}

const numberOrNull = ({ value }) => (value === "" ? null : Number(value));
