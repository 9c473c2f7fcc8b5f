/** The passage: text that the user requests, in a drawer beside the live curve. */

import * as api from "../net/api.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isExact } from "../state/passage-link.js";
import { watchWords } from "../state/samples.js";
import { MODELS, PassageActions } from "./passage-actions.js";
import { PassageForm } from "./passage-form.js";
import { PassageDrawer } from "./passage-drawer.js";
import { PassageText } from "./passage-text.js";
import { qualityFigures } from "../writing/quality.js";

const SECOND_MS = 1000;
const LONG_BOOK = 1_000_000; // a longer corpus needs some seconds for its first quality measurement

export class PassagePanel {
  #store;
  #drawer = find("#passage");
  #text = new PassageText(find("#passage-text"));
  #form = new PassageForm();
  #drawerView = new PassageDrawer(() => this.#closed());
  #actions;
  #request = null;
  #shown = null; // the passage in the URL
  #countdown = null;

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    this.#actions = new PassageActions(store);
    this.#form.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#write();
    });
    find("#passage-prime-text").addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      this.#write();
    });
    const write = find("#write");
    write.addEventListener("click", () => this.openAndWrite());
    find("#passage-random-seed").addEventListener("click", () => {
      this.#form.randomizeSeed();
      this.#write();
    });
    find("#passage-stop").addEventListener("click", () => this.#request?.abort());
    find("#passage-model").addEventListener("focus", () => this.#form.fillSources(store.get()));
    store.watch(
      ({ run }) => [run === null],
      (noRun) => (write.disabled = noRun),
    );
    store.watch(
      (state) => [state.runId],
      () => this.#clear(),
    );
    store.watch(
      ({ run, passage }) => [run?.id, passage],
      (run, passage) => run && this.#followUrl(passage),
    );
  }

  /** Open the drawer, with a new seed if it was closed, and request a passage. */
  openAndWrite() {
    if (!this.#store.get().run || this.#countdown) return;
    this.#form.fillSources(this.#store.get());
    if (this.#drawerView.open()) this.#form.randomizeSeed();
    this.#write();
  }

  /** Save the passage in the gallery. */
  save() {
    this.#actions.save();
  }

  /** Open the passage of the URL, unless it comes from this drawer. */
  #followUrl(passage) {
    if (passage === this.#shown) return;
    if (passage) {
      this.#openLink(passage);
    } else {
      this.#shown = null;
      this.#drawerView.close();
    }
  }

  /** Request the passage of a link. */
  #openLink(passage) {
    this.#shown = passage;
    this.#form.fill(passage, this.#store.get());
    this.#drawerView.open();
    this.#write();
  }

  async #write(override = null) {
    const { run } = this.#store.get();
    if (!run || this.#countdown) return;
    this.#request?.abort();
    this.#text.stop();
    const controller = new AbortController();
    this.#request = controller;
    this.#setBusy(true);
    this.#showProblem(null);
    if (!override) setText(find("#passage-substitute"), "");
    const request = { ...this.#form.request(), ...override };
    setText(find("#passage-progress"), "waiting for the network");
    try {
      const onPieces = (pieces, unread) =>
        this.#request === controller && this.#addPieces(pieces, unread, request, run);
      const passages = await api.writePassages(run.id, request, onPieces, controller.signal);
      if (this.#request === controller) this.#show(passages, request, run);
    } catch (error) {
      if (!(error instanceof api.Problem) && error.name !== "AbortError") throw error;
      if (this.#request !== controller) return;
      if (error instanceof api.Problem && error.status === 404 && isExact(request.source)) {
        this.#writeWithNearest(request.source);
        return;
      }
      if (error instanceof api.Problem) this.#showProblem(error);
      if (this.#text.growing) this.#showPartial(request, run);
      setText(find("#passage-progress"), "");
    } finally {
      if (this.#request === controller) this.#setBusy(false);
    }
  }

  /** The exact model of a link no longer exists: use the nearest one, and say so. */
  #writeWithNearest({ update }) {
    const sentence =
      `The model of update ${format.count(update)} that wrote this passage` +
      " no longer exists. This is what the nearest model writes.";
    setText(find("#passage-substitute"), sentence);
    this.#write({ source: { update } });
  }

  #setBusy(busy) {
    if (busy) this.#drawer.setAttribute("aria-busy", "true");
    else this.#drawer.removeAttribute("aria-busy");
    const [go, stop] = [find("#passage-write"), find("#passage-stop")];
    const hadFocus = [go, stop].includes(document.activeElement);
    go.hidden = busy;
    stop.hidden = !busy;
    // Keep the focus on the other one of the two buttons.
    if (hadFocus) (busy ? stop : go).focus();
  }

  /** The first piece of a new text replaces the old text. */
  #addPieces(pieces, unread, request, run) {
    if (!this.#text.growing) {
      this.#actions.set(null);
      this.#text.start(temperaturesOf(request), isSeveral(request), {
        watched: watchWords(run),
        prime: request.prime,
        unread,
      });
      this.#drawerView.fitColumns(temperaturesOf(request).length);
      setText(find("#passage-source"), "");
      find("#passage-quality").replaceChildren();
    }
    this.#text.addPieces(pieces);
    const written = Array.from(this.#text.texts[0]).length;
    setText(find("#passage-progress"), progress(written, request, run));
  }

  #show(passages, request, run) {
    const [first] = passages;
    const source = { update: first.source.update, model: first.model };
    const exact = { ...request, source, seed: first.seed };
    this.#actions.set({ run: run.id, request: exact, passages });
    this.#form.seed = first.seed;
    this.#text.finish(passages, isSeveral(request), watchWords(run));
    this.#drawerView.fitColumns(passages.length);
    find("#passage-quality").replaceChildren(
      ...(isSeveral(request) ? [] : qualityFigures(first.quality)),
    );
    setText(find("#passage-source"), sourceSentence(first.source, request.source));
    setText(find("#passage-progress"), "");
    setText(find("#passage-unknown"), unknownSentence(first.unknown_characters));
    const words = `${format.count(request.length)} characters`;
    setText(
      find("#passage-status"),
      `The passage is finished: ${words}, ${sourceSentence(first.source)}.`,
    );
    this.#shown = exact;
    this.#store.dispatch({ type: "passage", passage: exact });
  }

  /** Interrupted by the user or by an error: the text so far can still be read and copied. */
  #showPartial(request, run) {
    this.#text.showAll();
    const written = this.#text.texts;
    const { seed, prime } = request;
    const passages = written.map((text, i) => ({
      text,
      seed,
      prime,
      temperature: temperaturesOf(request)[i],
    }));
    this.#actions.set({ run: run.id, request: null, passages });
    const sentence = `stopped after ${format.count(written[0].length)} characters`;
    setText(find("#passage-source"), sentence);
    setText(find("#passage-status"), `The passage ${sentence}.`);
    this.#text.stop();
  }

  #showProblem(error) {
    const named = error?.fields.map(({ field, message }) => `${field}: ${message}`).join(" ");
    setText(find("#passage-problem"), error ? named || error.message : "");
    if (error?.retryAfterS > 0) this.#wait(error.retryAfterS);
  }

  /** Count down to the time that the server stated. */
  #wait(seconds) {
    const go = find("#passage-write");
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

  /** Another run has another network: discard this passage. */
  #clear() {
    this.#request?.abort();
    this.#request = null;
    this.#setBusy(false);
    this.#actions.set(null);
    this.#text.clear();
    this.#form.clearSources();
    for (const line of ["source", "progress", "substitute", "unknown"]) {
      setText(find(`#passage-${line}`), "");
    }
    find("#passage-quality").replaceChildren();
    this.#drawerView.close();
  }
}

const temperaturesOf = ({ temperatures, temperature }) => temperatures ?? [temperature];
const isSeveral = ({ temperatures }) => Boolean(temperatures);

/** The progress as text. */
function progress(written, { length }, { corpus_characters: characters }) {
  if (written < length) return `${format.count(written)} of ${format.count(length)} characters`;
  const slow = characters > LONG_BOOK;
  return slow
    ? "written; measuring the quality (the first time takes some seconds)"
    : "written; measuring the quality";
}

function sourceSentence({ kind, update, smooth_loss: loss }, request) {
  const model = isExact(request ?? "")
    ? "exact model of the link"
    : (MODELS[kind] ?? `${kind} model`);
  const words = [model, `update ${format.count(update)}`];
  if (typeof loss === "number") words.push(`smooth loss ${format.loss(loss)}`);
  return words.join(", ");
}

function unknownSentence(characters = []) {
  if (!characters.length) return "";
  const named = characters.map((character) => `“${character}”`).join(" ");
  return `Characters that are not in this corpus were not read: ${named}`;
}
