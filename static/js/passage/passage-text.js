/**
 * The text of a passage, or of several side by side, while it is written and when it is finished.
 */

import { el } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { PARAGRAPH_ENDS, paragraphs, segments } from "../lib/word-spans.js";
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

  /** Whether text is still arriving. */
  get growing() {
    return this.#columns.length > 0;
  }

  /** The texts so far. */
  get texts() {
    return this.#columns.map(({ text }) => text);
  }

  /** Start again, with one text per temperature; each one continues from `prime`. */
  start(temperatures, several, { watched, prime = "", unread = [] }) {
    this.clear();
    const options = { watched, prime, unread };
    this.#columns = temperatures.map((each) => new Column(each, several, options));
    this.#show(this.#columns.map(({ element }) => element));
    this.#host.scrollTop = 0;
  }

  /** Add a piece to each text; the pieces of one frame are shown together. */
  addPieces(pieces) {
    pieces.forEach((piece, i) => this.#columns[i]?.add(piece));
    this.#frame ??= requestAnimationFrame(() => this.showAll());
  }

  /** Show everything that has arrived. */
  showAll() {
    cancelAnimationFrame(this.#frame);
    this.#frame = null;
    for (const column of this.#columns) column.show();
  }

  /** Show finished passages in place of the partial ones. */
  finish(passages, several, watched) {
    const { scrollTop } = this.#host;
    const columns = passages.map((passage) => {
      const { text, invented_words: invented, temperature, quality, prime = "" } = passage;
      const primed = Array.from(prime).length;
      const moved = (invented ?? []).map(([from, to]) => [from + primed, to + primed]);
      const highlights = { invented: moved, watched, primed, unread: passage.unknown_characters };
      const body = text.trim() ? prose(prime + text, highlights) : emptyNote();
      if (!several) return body;
      const note = el("p", { class: "quality" }, ...qualityFigures(quality));
      return columnOf(temperature, body, note);
    });
    this.stop();
    this.#show(columns);
    this.#host.scrollTop = scrollTop;
  }

  /** Remove everything. */
  clear() {
    this.stop();
    this.#host.replaceChildren();
  }

  /** Stop; the text so far stays. */
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

/** One text that grows. Finished paragraphs are left alone; only the last one is rebuilt. */
class Column {
  text = "";
  element;

  #tail = "";
  #last = el("p", {}); // the last paragraph
  #body = el("div", { class: "prose prose-growing" }, this.#last);
  #watched;
  #primed; // how many characters of the tail belong to the prime
  #unread;

  constructor(temperature, several, { watched, prime, unread }) {
    this.#watched = watched;
    this.#unread = unread;
    this.#tail = prime;
    this.#primed = Array.from(prime).length;
    this.element = several
      ? columnOf(temperature, this.#body, el("p", { class: "quality" }))
      : this.#body;
  }

  add(piece) {
    this.text += piece;
    this.#tail += piece;
  }

  show() {
    const breaks = [...this.#tail.matchAll(PARAGRAPH_ENDS)];
    const end = breaks.length ? breaks.at(-1).index + breaks.at(-1)[0].length : 0;
    if (end) {
      for (const paragraph of this.#paragraphs(this.#tail.slice(0, end))) {
        this.#last.before(paragraph);
      }
      this.#primed = Math.max(0, this.#primed - Array.from(this.#tail.slice(0, end)).length);
      this.#tail = this.#tail.slice(end);
    }
    const [last] = this.#paragraphs(this.#tail);
    this.#last.replaceChildren(...(last?.childNodes ?? []));
  }

  #paragraphs(text) {
    const highlights = { watched: this.#watched, primed: this.#primed, unread: this.#unread };
    return paragraphs(segments(text, highlights)).map((parts) =>
      el("p", {}, ...parts.map((segment) => span(segment, () => false))),
    );
  }
}

/** An untrained network may repeat the space, its most likely character, for ever. */
const emptyNote = () => el("p", { class: "hint", text: "The text contains only spaces." });

const columnOf = (temperature, body, note) =>
  el(
    "section",
    { class: "passage-column", "aria-label": `Temperature ${format.fine(temperature)}` },
    el("h3", { text: `temperature ${format.fine(temperature)}` }),
    note,
    body,
  );
