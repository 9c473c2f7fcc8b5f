/** The page: its controls, and the loop that writes. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { STEPS_BITS } from "../ui/tints.js";
import { characterName } from "./characters.js";
import { Network } from "./network.js";
import { Probabilities, ROWS } from "./probabilities.js";
import { MAX_SEED } from "./sampling.js";
import { TextView } from "./text-view.js";
import { Writer } from "./writer.js";

/** The steps of the speed, in characters a second. */
const SPEEDS = [2, 5, 10, 20, 40, 80, 160, Infinity];

/** The part of a frame that may be spent on writing. */
const BUDGET_MS = 8;

/** Time that a tab in the background has missed is not made up for. */
const MAX_FRAME_MS = 250;

/** At most about twelve times a second, so that the bars can be read. */
const BARS_MS = 80;

/** Unknown characters that are named; more are counted. */
const MAX_NAMED = 8;

/** @typedef {ReturnType<typeof import("./safetensors.js").readSafetensors>} Model */

/** Connect the page with the network in it. @param {Model} model */
export function startPage({ arrays, metadata }) {
  const { vocabulary, cell, layers, next_index: nextIndex } = metadata;
  const network = new Network(arrays, cell, Number(layers));
  const writer = new Writer(network, vocabulary, Number(nextIndex));
  new Page(writer, vocabulary);
}

class Page {
  #writer;
  #text;
  #bars;
  #button = find("#write");
  #clear = find("#clear");
  #prime = find("#prime");
  #temperature = find("#temperature");
  #speed = find("#speed");
  #seed = find("#seed");
  #begun = false;
  /** The prime and the seed field of the text on the page. */
  #beginning = "";
  #usedSeed = 0;
  #written = 0;
  #bits = 0;
  /** The request of the next frame while it writes; 0 while it does not. */
  #frame = 0;
  #lastMs = 0;
  #due = 0;
  #barsMs = -Infinity;

  /**
   * @param {Writer} writer
   * @param {string} vocabulary
   */
  constructor(writer, vocabulary) {
    this.#writer = writer;
    this.#text = new TextView(vocabulary);
    this.#bars = new Probabilities(Array.from(vocabulary).length);
    this.#seed.max = MAX_SEED;
    this.#speed.max = SPEEDS.length - 1;
    const steps = [0, ...STEPS_BITS].map((_, step) => el("span", { class: `tint tint-${step}` }));
    find("#swatches").replaceChildren(...steps);
    this.#button.addEventListener("click", () => (this.#frame ? this.#pause() : this.#write()));
    this.#clear.addEventListener("click", () => this.#empty());
    this.#prime.addEventListener("input", () => this.#showPrime());
    this.#seed.addEventListener("input", () => this.#showPrime());
    this.#temperature.addEventListener("input", () => this.#showSettings());
    this.#speed.addEventListener("input", () => this.#showSettings());
    const tint = find("#tint");
    tint.addEventListener("change", () => this.#text.setTinted(tint.checked));
    this.#showSettings();
  }

  get #temperatureValue() {
    return Number(this.#temperature.value);
  }

  #write() {
    if (!this.#begun && !this.#begin()) return;
    this.#lastMs = performance.now();
    this.#due = 1;
    this.#frame = requestAnimationFrame((now) => this.#advance(now));
    this.#showState("Writing.");
  }

  /** Whether a text could be begun: the seed must be valid. */
  #begin() {
    if (!this.#seed.reportValidity()) return false;
    const { value } = this.#seed;
    this.#usedSeed = value === "" ? Math.floor(Math.random() * (MAX_SEED + 1)) : Number(value);
    this.#text.addPrime(this.#writer.begin(this.#prime.value, this.#usedSeed));
    this.#begun = true;
    this.#beginning = this.#fields();
    find("#invitation").hidden = true;
    return true;
  }

  #pause() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#showBars();
    this.#showState(`Paused after ${format.count(this.#written)} characters.`);
  }

  #empty() {
    cancelAnimationFrame(this.#frame);
    [this.#frame, this.#begun, this.#written, this.#bits] = [0, false, 0, 0];
    this.#text.clear();
    find("#invitation").hidden = false;
    this.#showPrime();
    this.#showState("The text is cleared.");
    this.#button.focus();
  }

  /** Write what is due in this frame. @param {number} now */
  #advance(now) {
    const speed = SPEEDS[this.#speed.value];
    this.#due += (Math.min(now - this.#lastMs, MAX_FRAME_MS) * speed) / 1000;
    this.#lastMs = now;
    const end = performance.now() + BUDGET_MS;
    const written = [];
    for (; this.#due >= 1; this.#due--) {
      written.push(this.#writer.write(this.#temperatureValue));
      if (performance.now() >= end) break;
    }
    // A slow computer writes more slowly, instead of being ever further behind.
    this.#due = Number.isFinite(speed) ? Math.min(this.#due, 1) : 0;
    if (written.length) {
      this.#text.add(written);
      this.#written += written.length;
      for (const { bits } of written) this.#bits += bits;
      this.#showMeasures();
      if (now - this.#barsMs >= BARS_MS) {
        this.#barsMs = now;
        this.#showBars();
      }
    }
    this.#frame = requestAnimationFrame((next) => this.#advance(next));
  }

  /** @param {string} announcement for screen readers: the text itself is not announced. */
  #showState(announcement) {
    setText(this.#button, this.#frame ? "Pause" : "Write");
    find("#paper").classList.toggle("writing", this.#frame !== 0);
    this.#clear.disabled = !this.#begun;
    this.#showMeasures();
    setText(find("#status"), announcement);
  }

  #showMeasures() {
    const characters = `${format.count(this.#written)} characters`;
    const mean = this.#written ? `, ${format.fine(this.#bits / this.#written)} bits each` : "";
    const text = this.#begun ? `${characters}${mean}, seed ${this.#usedSeed}` : "";
    setText(find("#measures"), text);
  }

  #showSettings() {
    setText(find("#temperature-value"), this.#temperature.value);
    const speed = SPEEDS[this.#speed.value];
    const limited = Number.isFinite(speed);
    setText(find("#speed-value"), limited ? `${speed} / s` : "max");
    const words = limited ? `${speed} characters a second` : "no limit";
    this.#speed.setAttribute("aria-valuetext", words);
    this.#showBars();
  }

  #showBars() {
    this.#bars.show(this.#writer.likeliest(this.#temperatureValue, ROWS));
  }

  #fields() {
    return JSON.stringify([this.#prime.value, this.#seed.value]);
  }

  /** Tell what the next text will begin with. */
  #showPrime() {
    const unknown = this.#writer.unknownIn(this.#prime.value);
    const named = unknown.slice(0, MAX_NAMED).map(characterName).join(", ");
    const more = unknown.length > MAX_NAMED ? ` and ${unknown.length - MAX_NAMED} more` : "";
    const sentences = [];
    if (unknown.length) sentences.push(`The network does not know ${named}${more}: left out.`);
    if (this.#begun && this.#fields() !== this.#beginning) {
      sentences.push("Used when a text begins: clear this one first.");
    }
    if (!this.#begun) {
      this.#writer.begin(this.#prime.value, 0);
      this.#showBars();
    }
    setText(find("#prime-hint"), sentences.join(" "));
  }
}
