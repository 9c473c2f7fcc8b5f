/** The passage: text that a reader asks the network for, in a drawer beside the live curve. */

import * as api from "../api.js";
import { el, find, setText } from "../dom.js";
import * as format from "../format.js";
import { watchWords } from "../samples.js";
import { prose } from "./prose.js";
import { qualityWords } from "./writing.js";

const NARROW = matchMedia("(width < 860px)");
const COPIED_MS = 1600;
const SEEDS = 1_000_000; // few enough digits to be told to somebody
const FIELDS = ["source", "length", "temperature", "seed", "prime"];

export class PassagePanel {
  #store;
  #drawer = find("#passage");
  #text = find("#passage-text");
  #fields;
  #passage = null;
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

  #rollSeed() {
    const [random] = crypto.getRandomValues(new Uint32Array(1));
    this.#fields.seed.value = String(random % SEEDS);
  }

  async #write() {
    const { run } = this.#store.get();
    if (!run) return;
    this.#request?.abort();
    const mine = new AbortController();
    this.#request = mine;
    this.#drawer.setAttribute("aria-busy", "true");
    this.#showProblem(null);
    try {
      const passage = await api.writePassage(run.id, this.#asked(), mine.signal);
      if (this.#request === mine) this.#show(passage, run);
    } catch (error) {
      if (error instanceof api.Problem) this.#showProblem(error);
      else if (error.name !== "AbortError") throw error;
    } finally {
      if (this.#request === mine) this.#drawer.removeAttribute("aria-busy");
    }
  }

  #asked() {
    const { source, length, temperature, prime, seed } = this.#fields;
    return {
      source: source.value,
      length: Number(length.value),
      temperature: Number(temperature.value),
      prime: prime.value,
      seed: seed.value === "" ? null : Number(seed.value),
    };
  }

  #show(passage, run) {
    this.#passage = passage;
    this.#fields.seed.value = String(passage.seed);
    const marks = { invented: passage.invented, watched: watchWords(run) };
    this.#text.replaceChildren(prose(passage.text, marks));
    this.#text.scrollTop = 0;
    find("#passage-quality").replaceChildren(...qualityWords(passage.quality));
    setText(find("#passage-source"), sourceSentence(passage.source));
    setText(find("#passage-unknown"), unknownSentence(passage.unknown_characters));
    for (const button of this.#drawer.querySelectorAll("[data-needs-passage]")) {
      button.disabled = false;
    }
  }

  #showProblem(error) {
    const named = error?.fields.map(({ field, message }) => `${field}: ${message}`).join(" ");
    setText(find("#passage-problem"), error ? named || error.message : "");
  }

  /** Another run is another network: what this one wrote is not that one's. */
  #forget() {
    this.#request?.abort();
    this.#passage = null;
    this.#text.replaceChildren();
    this.#fields.source.replaceChildren();
    if (this.#drawer.open) this.#drawer.close();
  }

  #fillSources() {
    const { source } = this.#fields;
    const chosen = source.value || "best";
    const option = (value, text) => el("option", { value, text });
    const saved = [...this.#store.get().checkpoints].reverse();
    source.replaceChildren(
      option("best", "best model"),
      option("latest", "latest model"),
      ...saved.map(({ id, update }) => option(id, `checkpoint ${format.count(update)}`)),
    );
    source.value = chosen;
    if (!source.value) source.value = "best";
  }

  async #copy() {
    const word = find("#passage-copy span");
    try {
      await navigator.clipboard.writeText(this.#passage.text);
    } catch {
      // Without a secure context there is no clipboard to write to: select it for the reader.
      getSelection().selectAllChildren(this.#text);
      setText(word, "Selected");
      return;
    }
    setText(word, "Copied");
    setTimeout(() => setText(word, "Copy"), COPIED_MS);
  }

  #download() {
    const { text, source, seed } = this.#passage;
    const blob = new Blob([text], { type: "text/plain;charset=utf-8" });
    const href = URL.createObjectURL(blob);
    const link = el("a", { href, download: `passage-${source.update}-seed-${seed}.txt` });
    document.body.append(link);
    link.click();
    link.remove();
    URL.revokeObjectURL(href);
  }
}

function sourceSentence({ kind, update, smooth_loss: loss }) {
  const words = [`${kind} model`, `update ${format.count(update)}`];
  if (typeof loss === "number") words.push(`smooth loss ${format.loss(loss)}`);
  return words.join(", ");
}

function unknownSentence(characters = []) {
  if (!characters.length) return "";
  const named = characters.map((character) => `“${character}”`).join(" ");
  return `Not in this text's alphabet, and so left out of the prime: ${named}`;
}
