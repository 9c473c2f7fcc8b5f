/** The text of a passage, or of several side by side: as it grows, and as it stands at last. */

import { el } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { paragraphs, segments } from "../lib/word-spans.js";
import { prose, span } from "../ui/prose.js";
import { qualityFigures } from "../writing/quality.js";

export class PassageText {
  #host;
  #columns = [];
  #frame = null;

  /** @param {HTMLElement} host */
  constructor(host) {
    this.#host = host;
  }

  /** Whether the texts shown are still growing. */
  get growing() {
    return this.#columns.length > 0;
  }

  /** The texts as far as they have grown. */
  get texts() {
    return this.#columns.map(({ text }) => text);
  }

  /**
   * Begin anew, with a text for each temperature; `several` of them stand side by side, each going
   * on from `prime`.
   */
  start(temperatures, several, { watched, prime = "" }) {
    this.clear();
    this.#columns = temperatures.map((each) => new Column(each, several, watched, prime));
    this.#show(this.#columns.map(({ element }) => element));
    this.#host.scrollTop = 0;
  }

  /** Go on with a piece for each text; what came within one frame is shown at once. */
  addPieces(pieces) {
    pieces.forEach((piece, i) => this.#columns[i]?.add(piece));
    this.#frame ??= requestAnimationFrame(() => this.showAll());
  }

  /** Show all that has come. */
  showAll() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    for (const column of this.#columns) column.show();
  }

  /** Show finished passages, in the very place of those that grew. */
  finish(passages, several, watched) {
    const { scrollTop } = this.#host;
    const columns = passages.map(({ text, invented_words: invented, temperature, quality, prime = "" }) => {
      const primed = Array.from(prime).length;
      const moved = (invented ?? []).map(([from, to]) => [from + primed, to + primed]);
      const marks = { invented: moved, watched, primed };
      const body = text.trim() ? prose(prime + text, marks) : emptyNote();
      if (!several) return body;
      const note = el("p", { class: "quality" }, ...qualityFigures(quality));
      return columnOf(temperature, body, note);
    });
    this.stop();
    this.#show(columns);
    this.#host.scrollTop = scrollTop;
  }

  /** Show nothing. */
  clear() {
    this.stop();
    this.#host.replaceChildren();
  }

  /** No more will come; what is shown stays. */
  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    this.#columns = [];
  }

  #show(elements) {
    this.#host.dataset.columns = String(elements.length);
    this.#host.replaceChildren(...elements);
  }
}

/** One text that grows: whole paragraphs are left alone, only the last is written anew. */
class Column {
  text = "";
  element;

  #tail = "";
  #page = el("p", {});
  #body = el("div", { class: "prose prose-growing" }, this.#page);
  #watched;
  #primed; // how many characters of the tail are what it goes on from

  constructor(temperature, several, watched, prime) {
    this.#watched = watched;
    this.#tail = prime;
    this.#primed = Array.from(prime).length;
    this.element = several ? columnOf(temperature, this.#body, el("p", { class: "quality" })) : this.#body;
  }

  add(piece) {
    this.text += piece;
    this.#tail += piece;
  }

  show() {
    const breaks = [...this.#tail.matchAll(/\n{2,}(?=[^\n])/gu)];
    const end = breaks.length ? breaks.at(-1).index + breaks.at(-1)[0].length : 0;
    if (end) {
      for (const page of this.#pages(this.#tail.slice(0, end))) this.#page.before(page);
      this.#primed = Math.max(0, this.#primed - Array.from(this.#tail.slice(0, end)).length);
      this.#tail = this.#tail.slice(end);
    }
    const [page] = this.#pages(this.#tail);
    this.#page.replaceChildren(...(page?.childNodes ?? []));
  }

  #pages(text) {
    return paragraphs(segments(text, { watched: this.#watched, primed: this.#primed })).map((page) =>
      el("p", {}, ...page.map((segment) => span(segment, () => false))),
    );
  }
}

/** A network that has hardly begun may take the space for the likeliest character, for ever. */
const emptyNote = () => el("p", { class: "hint", text: "It wrote nothing but spaces." });

const columnOf = (temperature, body, note) =>
  el(
    "section",
    { class: "passage-column", "aria-label": `Temperature ${format.fine(temperature)}` },
    el("h3", { text: `temperature ${format.fine(temperature)}` }),
    note,
    body,
  );
