/** The passage: text that a reader asks the network for, in a drawer beside the live curve. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isExact } from "../state/passage-link.js";
import { watchWords } from "../state/samples.js";
import { PassageDeeds } from "./passage-actions.js";
import { PassageForm } from "./passage-form.js";
import { PassageFrame } from "./passage-drawer.js";
import { PassageText } from "./passage-text.js";
import { qualityWords } from "../writing/quality.js";

const SECOND_MS = 1000;
const LONG_BOOK = 1_000_000; // characters, from which on the first measuring takes seconds

export class PassagePanel {
  #store;
  #drawer = find("#passage");
  #text = new PassageText(find("#passage-text"));
  #form = new PassageForm();
  #frame = new PassageFrame(() => this.#closed());
  #deeds;
  #request = null;
  #shown = null; // what the address says of the passage in the drawer
  #countdown = null;

  /** @param {Object} store */
  constructor(store) {
    this.#store = store;
    this.#deeds = new PassageDeeds(store);
    this.#form.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#write();
    });
    const write = find("#write");
    write.addEventListener("click", () => this.openAndWrite());
    find("#passage-roll").addEventListener("click", () => {
      this.#form.rollSeed();
      this.#write();
    });
    find("#passage-stop").addEventListener("click", () => this.#request?.abort());
    find("#passage-model").addEventListener("focus", () => this.#form.fillSources(store.get()));
    store.watch(
      ({ run }) => [run === null],
      (unseen) => (write.disabled = unseen),
    );
    store.watch(
      (state) => [state.runId],
      () => this.#forget(),
    );
    store.watch(
      ({ run, passage }) => [run?.id, passage],
      (run, passage) => run && this.#follow(passage),
    );
  }

  /** Open the drawer, with a new seed unless it was open, and ask for a passage at once. */
  openAndWrite() {
    if (!this.#store.get().run || this.#countdown) return;
    this.#form.fillSources(this.#store.get());
    if (this.#frame.open()) this.#form.rollSeed();
    this.#write();
  }

  /** Keep the passage in the gallery. */
  keep() {
    this.#deeds.keep();
  }

  /** Show what the address asks for, unless it was this drawer that told the address. */
  #follow(passage) {
    if (passage === this.#shown) return;
    if (passage) {
      this.#openLink(passage);
    } else {
      this.#shown = null;
      this.#frame.close();
    }
  }

  /** Write what a link asks for. */
  #openLink(passage) {
    this.#shown = passage;
    this.#form.fill(passage, this.#store.get());
    this.#frame.open();
    this.#write();
  }

  async #write(instead = null) {
    const { run } = this.#store.get();
    if (!run || this.#countdown) return;
    this.#request?.abort();
    this.#text.stop();
    const mine = new AbortController();
    this.#request = mine;
    this.#setBusy(true);
    this.#showProblem(null);
    if (!instead) setText(find("#passage-instead"), "");
    const asked = { ...this.#form.asked(), ...instead };
    setText(find("#passage-progress"), "waiting for the network");
    try {
      const onPieces = (pieces) => this.#request === mine && this.#grow(pieces, asked, run);
      const passages = await api.writePassages(run.id, asked, onPieces, mine.signal);
      if (this.#request === mine) this.#show(passages, asked, run);
    } catch (error) {
      if (!(error instanceof api.Problem) && error.name !== "AbortError") throw error;
      if (this.#request !== mine) return;
      if (error instanceof api.Problem && error.status === 404 && isExact(asked.source)) {
        this.#writeInstead(asked.source);
        return;
      }
      if (error instanceof api.Problem) this.#showProblem(error);
      if (this.#text.growing) this.#cutShort(asked, run);
      setText(find("#passage-progress"), "");
    } finally {
      if (this.#request === mine) this.#setBusy(false);
    }
  }

  /** The very model of a link is gone: the nearest one writes, and the page says so. */
  #writeInstead({ update }) {
    const sentence =
      `The model of update ${format.count(update)} that wrote the passage of this link is no longer` +
      " there. This is what the nearest one writes.";
    setText(find("#passage-instead"), sentence);
    this.#write({ source: { update } });
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

  /** The first piece of a new text takes the place of the old one. */
  #grow(pieces, asked, run) {
    if (!this.#text.growing) {
      this.#deeds.set(null);
      this.#text.begin(warmthsOf(asked), isSeveral(asked), { watched: watchWords(run), prime: asked.prime });
      this.#frame.fit(warmthsOf(asked).length);
      setText(find("#passage-source"), "");
      find("#passage-quality").replaceChildren();
    }
    this.#text.grow(pieces);
    const written = Array.from(this.#text.texts[0]).length;
    setText(find("#passage-progress"), progress(written, asked, run));
  }

  #show(passages, asked, run) {
    const [first] = passages;
    const source = { update: first.source.update, model: first.model };
    const request = { ...asked, source, seed: first.seed };
    this.#deeds.set({ run: run.id, request, passages });
    this.#form.seed = first.seed;
    this.#text.finish(passages, isSeveral(asked), watchWords(run));
    this.#frame.fit(passages.length);
    find("#passage-quality").replaceChildren(
      ...(isSeveral(asked) ? [] : qualityWords(first.quality)),
    );
    setText(find("#passage-source"), sourceSentence(first.source, asked.source));
    setText(find("#passage-progress"), "");
    setText(find("#passage-unknown"), unknownSentence(first.unknown_characters));
    const words = `${format.count(asked.length)} characters`;
    setText(find("#passage-said"), `The passage is written: ${words}, ${sourceSentence(first.source)}.`);
    this.#shown = request;
    this.#store.dispatch({ type: "passage", passage: request });
  }

  /** Stopped, by the reader or by a fault: what there is can still be read and taken home. */
  #cutShort(asked, run) {
    this.#text.settle();
    const written = this.#text.texts;
    const { seed, prime } = asked;
    const passages = written.map((text, i) => ({ text, seed, prime, temperature: warmthsOf(asked)[i] }));
    this.#deeds.set({ run: run.id, request: null, passages });
    const sentence = `stopped after ${format.count(written[0].length)} characters`;
    setText(find("#passage-source"), sentence);
    setText(find("#passage-said"), `The passage was ${sentence}.`);
    this.#text.stop();
  }

  #showProblem(error) {
    const named = error?.fields.map(({ field, message }) => `${field}: ${message}`).join(" ");
    setText(find("#passage-problem"), error ? named || error.message : "");
    if (error?.retryAfterS > 0) this.#wait(error.retryAfterS);
  }

  /** The server said when it goes on: count down to it. */
  #wait(seconds) {
    const go = find("#passage-go");
    const until = performance.now() + seconds * SECOND_MS;
    const show = () => {
      const left = Math.ceil((until - performance.now()) / SECOND_MS);
      go.disabled = left > 0;
      setText(go, left > 0 ? `Write in ${format.count(left)} s` : "Write");
      if (left > 0) return;
      clearInterval(this.#countdown);
      this.#countdown = null;
      this.#showProblem(null);
    };
    clearInterval(this.#countdown);
    this.#countdown = setInterval(show, SECOND_MS);
    show();
  }

  #closed() {
    this.#request?.abort();
    this.#store.dispatch({ type: "passage", passage: null });
  }

  /** Another run is another network: what this one wrote is not that one's. */
  #forget() {
    this.#request?.abort();
    this.#request = null;
    this.#setBusy(false);
    this.#deeds.set(null);
    this.#text.forget();
    this.#form.forgetSources();
    for (const line of ["source", "progress", "instead", "unknown"]) {
      setText(find(`#passage-${line}`), "");
    }
    find("#passage-quality").replaceChildren();
    this.#frame.close();
  }
}

const warmthsOf = ({ temperatures, temperature }) => temperatures ?? [temperature];
const isSeveral = ({ temperatures }) => Boolean(temperatures);

/** What is under way, in words. */
function progress(written, { length }, { corpus_characters: characters }) {
  if (written < length) return `${format.count(written)} of ${format.count(length)} characters`;
  const slow = characters > LONG_BOOK;
  return slow
    ? "written; looking its words up in the whole book, which takes some seconds the first time"
    : "written; looking its words up in the book";
}

function sourceSentence({ kind, update, smooth_loss: loss }, asked) {
  const names = { best_validation: "best model by validation", snapshot: "the network as it stood" };
  const model = isExact(asked ?? "") ? "the very model of the link" : names[kind] ?? `${kind} model`;
  const words = [model, `update ${format.count(update)}`];
  if (typeof loss === "number") words.push(`smooth loss ${format.loss(loss)}`);
  return words.join(", ");
}

function unknownSentence(characters = []) {
  if (!characters.length) return "";
  const named = characters.map((character) => `“${character}”`).join(" ");
  return `Not in this text's alphabet, and so left out of the prime: ${named}`;
}
