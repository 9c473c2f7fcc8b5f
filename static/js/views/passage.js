/** The passage: text that a reader asks the network for, in a drawer beside the live curve. */

import * as api from "../api.js";
import { el, find, setText } from "../dom.js";
import * as format from "../format.js";
import { watchWords } from "../samples.js";
import { PassageText } from "./passagetext.js";
import { qualityWords } from "./writing.js";

const NARROW = matchMedia("(width < 860px)");
const COPIED_MS = 1600;
const SEEDS = 1_000_000; // few enough digits to be told to somebody
const FIELDS = [
  "source",
  "length",
  "temperature",
  "seed",
  "prime",
  "temperatures",
  "top_k",
  "top_p",
];

export class PassagePanel {
  #store;
  #drawer = find("#passage");
  #text = new PassageText(find("#passage-text"));
  #fields;
  #passages = [];
  #request = null;
  #opener = null;

  /** @param {Object} store */
  constructor(store) {
    this.#store = store;
    const form = find("#passage-form");
    // By name, since a collection of fields has a `length` of its own.
    this.#fields = Object.fromEntries(
      FIELDS.map((name) => [name, form.elements.namedItem(name)]),
    );
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#write();
    });
    this.#listen();
    store.watch(
      (state) => [state.runId],
      () => this.#forget(),
    );
  }

  /** Open the drawer, with a new seed unless it was open, and ask for a passage at once. */
  openAndWrite() {
    if (!this.#store.get().run) return;
    this.#fillSources();
    if (!this.#drawer.open) {
      this.#open();
      this.#rollSeed();
    }
    this.#write();
  }

  #listen() {
    const { temperature, source } = this.#fields;
    find("#write").addEventListener("click", () => this.openAndWrite());
    find("#passage-close").addEventListener("click", () => this.#drawer.close());
    find("#passage-copy").addEventListener("click", () => this.#copy());
    find("#passage-download").addEventListener("click", () => this.#download());
    find("#passage-roll").addEventListener("click", () => {
      this.#rollSeed();
      this.#write();
    });
    temperature.addEventListener("input", () =>
      setText(find("#passage-temperature"), Number(temperature.value).toFixed(2)),
    );
    find("#passage-stop").addEventListener("click", () => this.#request?.abort());
    find("#passage-form").addEventListener("input", () => this.#nameMore());
    source.addEventListener("focus", () => this.#fillSources());
    this.#drawer.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.#drawer.close();
    });
    this.#drawer.addEventListener("close", () => {
      this.#setCovered(false);
      if (this.#opener?.isConnected) this.#opener.focus();
    });
  }

  #open() {
    this.#opener = document.activeElement;
    // On a narrow screen the drawer is the whole page, and so it holds the focus too.
    if (NARROW.matches) {
      this.#drawer.showModal();
    } else {
      this.#drawer.show();
      this.#setCovered(true);
    }
    find("#passage-title").focus();
  }

  /** What lies beneath the drawer can be neither seen nor reached with the keyboard. */
  #setCovered(covered) {
    for (const element of this.#drawer.parentElement.children) {
      if (element !== this.#drawer) element.inert = covered;
    }
  }

  /** What is set in the folded part of the form. */
  #nameMore() {
    const { temperatures, temperature, top_k: topK, top_p: topP } = this.#fields;
    const several = temperatures.value.trim();
    const set = [
      several && `temperatures ${several}`,
      topK.value && `top-k ${topK.value}`,
      topP.value && `top-p ${topP.value}`,
    ];
    setText(find("#passage-more-summary"), set.filter(Boolean).join(", "));
    temperature.disabled = Boolean(several);
  }

  #rollSeed() {
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    this.#fields.seed.value = String(random % SEEDS);
  }

  async #write() {
    const { run } = this.#store.get();
    if (!run) return;
    this.#request?.abort();
    this.#text.stop();
    const mine = new AbortController();
    this.#request = mine;
    this.#setBusy(true);
    this.#showProblem(null);
    const asked = this.#asked();
    try {
      const onPieces = (pieces) => this.#request === mine && this.#grow(pieces, asked, run);
      const passages = await api.writePassages(run.id, asked, onPieces, mine.signal);
      if (this.#request === mine) this.#show(passages, asked, run);
    } catch (error) {
      if (error instanceof api.Problem) this.#showProblem(error);
      else if (error.name !== "AbortError") throw error;
      if (this.#request === mine && this.#text.growing) this.#cutShort(asked);
    } finally {
      if (this.#request === mine) this.#setBusy(false);
    }
  }

  #setBusy(busy) {
    if (busy) this.#drawer.setAttribute("aria-busy", "true");
    else this.#drawer.removeAttribute("aria-busy");
    const [go, stop] = [find("#passage-go"), find("#passage-stop")];
    const held = [go, stop].includes(document.activeElement);
    go.hidden = busy;
    stop.hidden = !busy;
    // The keyboard stays where it was, on the other of the two.
    if (held) (busy ? stop : go).focus();
  }

  #asked() {
    const { source, length, temperature, prime, seed } = this.#fields;
    const { temperatures, top_k: topK, top_p: topP } = this.#fields;
    const asked = {
      source: source.value,
      length: Number(length.value),
      prime: prime.value,
      seed: numberOrNull(seed),
      top_k: numberOrNull(topK),
      top_p: numberOrNull(topP),
    };
    const several = temperatures.value.split(/[\s,;]+/u).filter(Boolean);
    return several.length
      ? { ...asked, temperatures: several.map(Number) }
      : { ...asked, temperature: Number(temperature.value) };
  }

  /** The first piece of a new text takes the place of the old one. */
  #grow(pieces, asked, run) {
    if (!this.#text.growing) {
      this.#setPassages([]);
      const several = Boolean(asked.temperatures);
      this.#text.begin(asked.temperatures ?? [asked.temperature], several, watchWords(run));
      setText(find("#passage-source"), "");
      find("#passage-quality").replaceChildren();
    }
    this.#text.grow(pieces);
    const [{ length }] = this.#text.texts;
    const words = `${format.count(length)} of ${format.count(asked.length)} characters`;
    setText(find("#passage-progress"), words);
  }

  #show(passages, asked, run) {
    const [first] = passages;
    const several = Boolean(asked.temperatures);
    this.#setPassages(passages);
    this.#fields.seed.value = String(first.seed);
    this.#text.finish(passages, several, watchWords(run));
    find("#passage-quality").replaceChildren(...(several ? [] : qualityWords(first.quality)));
    setText(find("#passage-source"), sourceSentence(first.source));
    setText(find("#passage-progress"), "");
    setText(find("#passage-unknown"), unknownSentence(first.unknown_characters));
  }

  /** Stopped, by the reader or by a fault: what there is can still be read and kept. */
  #cutShort({ seed, temperatures, temperature }) {
    this.#text.settle();
    const written = this.#text.texts;
    const all = temperatures ?? [temperature];
    this.#setPassages(written.map((text, i) => ({ text, seed, temperature: all[i] })));
    setText(find("#passage-source"), `stopped after ${format.count(written[0].length)} characters`);
    setText(find("#passage-progress"), "");
    this.#text.stop();
  }

  #setPassages(passages) {
    this.#passages = passages;
    for (const button of this.#drawer.querySelectorAll("[data-needs-passage]")) {
      button.disabled = passages.length === 0;
    }
  }

  #showProblem(error) {
    const named = error?.fields.map(({ field, message }) => `${field}: ${message}`).join(" ");
    setText(find("#passage-problem"), error ? named || error.message : "");
  }

  /** Another run is another network: what this one wrote is not that one's. */
  #forget() {
    this.#request?.abort();
    this.#request = null;
    this.#setBusy(false);
    this.#setPassages([]);
    this.#text.forget();
    this.#fields.source.replaceChildren();
    if (this.#drawer.open) this.#drawer.close();
  }

  #fillSources() {
    const { source } = this.#fields;
    const chosen = source.value || "best";
    const option = (value, text) => el("option", { value, text });
    const { checkpoints, run } = this.#store.get();
    const saved = [...checkpoints].reverse();
    const heldOut = run?.spec.validation_fraction > 0;
    source.replaceChildren(
      option("best", "best model"),
      ...(heldOut ? [option("best_validation", "best by validation")] : []),
      option("latest", "latest model"),
      ...saved.map(({ id, update }) => option(id, `checkpoint ${format.count(update)}`)),
    );
    source.value = chosen;
    if (!source.value) source.value = "best";
  }

  async #copy() {
    const word = find("#passage-copy span");
    try {
      await navigator.clipboard.writeText(textOf(this.#passages));
    } catch {
      // Without a secure context there is no clipboard to write to: select it for the reader.
      getSelection().selectAllChildren(find("#passage-text"));
      setText(word, "Selected");
      return;
    }
    setText(word, "Copied");
    setTimeout(() => setText(word, "Copy"), COPIED_MS);
  }

  #download() {
    const [{ source, seed }] = this.#passages;
    const blob = new Blob([textOf(this.#passages)], { type: "text/plain;charset=utf-8" });
    const href = URL.createObjectURL(blob);
    const link = el("a", { href, download: `passage-${source?.update ?? "stopped"}-seed-${seed}.txt` });
    document.body.append(link);
    link.click();
    link.remove();
    URL.revokeObjectURL(href);
  }
}

const numberOrNull = ({ value }) => (value === "" ? null : Number(value));

/** The passages as one text; of several, each under its temperature. */
function textOf(passages) {
  if (passages.length === 1) return passages[0].text;
  const titled = ({ temperature, text }) => `Temperature ${temperature}\n\n${text}`;
  return passages.map(titled).join("\n\n\n");
}

function sourceSentence({ kind, update, smooth_loss: loss }) {
  const model = kind === "best_validation" ? "best model by validation" : `${kind} model`;
  const words = [model, `update ${format.count(update)}`];
  if (typeof loss === "number") words.push(`smooth loss ${format.loss(loss)}`);
  return words.join(", ");
}

function unknownSentence(characters = []) {
  if (!characters.length) return "";
  const named = characters.map((character) => `“${character}”`).join(" ");
  return `Not in this text's alphabet, and so left out of the prime: ${named}`;
}
