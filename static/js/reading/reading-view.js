/** The text read at the update in view; each character is coloured by its surprisal. */

import { unitOf } from "../curve/axes.js";
import { el, find, setText, reducedMotion } from "../lib/dom.js";
import { isClicked } from "../lib/focus.js";
import * as format from "../lib/format.js";
import { isOutdated } from "../ui/connection.js";
import { STEPS_BITS, stepOf } from "../ui/tints.js";
import {
  aboutCharacter,
  charactersOf,
  lossSentence,
  mostSurprising,
  placeSentence,
} from "./surprisal.js";

const HINT = "Point at a character to see its surprisal.";

export class ReadingView {
  #store;
  #excerpt = find("#reading-excerpt");
  #characters = [];
  #spans = [];
  #first = 0; // of the characters read at the update
  #last = -1;
  #chosen = null;
  #stream = null;
  #shown = null;
  #searching = false;
  #size = ""; // of the excerpt when it was scrolled

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    find("#reading-legend").append(...legend());
    find("#reading-earlier").addEventListener("click", () => this.#step(-1));
    find("#reading-later").addEventListener("click", () => this.#step(1));
    const excerpt = this.#excerpt;
    excerpt.addEventListener("pointerover", ({ target }) => this.#choose(indexOf(target)));
    excerpt.addEventListener("pointerleave", () => this.#choose(null));
    excerpt.addEventListener("keydown", (event) => this.#key(event));
    excerpt.addEventListener("blur", () => this.#choose(null));
    window.addEventListener("resize", () => this.#measure());
    store.watch(
      (state) => [
        state.sideTab === "reading",
        ...[
          state.reading,
          state.readingError,
          state.run,
          state.pinned,
          state.peakRange,
          state.unit,
        ],
      ],
      (open, reading, readingError, run) => open && this.#show(reading, readingError, run),
    );
  }

  #unit() {
    const { unit, run } = this.#store.get();
    return unitOf(unit, run.spec.sequence_length);
  }

  #show(reading, readingError, run) {
    const { pinned, peakRange } = this.#store.get();
    const ready = run && reading;
    find("#reading").setAttribute("aria-busy", String(!ready && !readingError));
    find("#reading-waiting").hidden = Boolean(ready || readingError);
    setText(find("#reading-problem"), readingError ?? "");
    if (peakRange && !this.#searching) bringIntoView(find("#reading-title"));
    this.#searching = Boolean(peakRange);
    setText(
      find("#reading-title"),
      ready ? title(reading, pinned === null && this.#isLive()) : "Text of the update",
    );
    setText(find("#reading-loss"), ready ? lossSentence(reading, this.#unit()) : "");
    find("#reading-earlier").disabled = !ready || reading.update <= 1;
    find("#reading-later").disabled = !ready || reading.update >= run.update;
    // In the live view it changes constantly, which must not be announced.
    const politeness = pinned === null || peakRange ? "off" : "polite";
    find("#reading-sentence").setAttribute("aria-live", politeness);
    if (reading === this.#shown) return;
    this.#shown = reading;
    this.#stream = 0;
    this.#showStreams(ready ? reading : null);
    this.#showPassage();
  }

  #isLive() {
    const state = this.#store.get();
    return state.run.state === "running" && !isOutdated(state);
  }

  /** The choice between streams, which read the corpus in parallel. */
  #showStreams(reading) {
    const all = reading && reading.passages.length > 1 ? reading.passages : [];
    const about = find("#reading-streams");
    about.hidden = !all.length;
    about.replaceChildren(
      ...all.map(({ stream }, i) => {
        const input = el("input", { type: "radio", name: "stream", checked: i === 0 });
        input.addEventListener("change", () => {
          this.#stream = i;
          this.#showPassage();
        });
        const words = `stream ${format.count(stream)} of ${format.count(reading.streams)}`;
        return el("label", {}, input, el("span", { text: words }));
      }),
    );
  }

  #showPassage() {
    const reading = this.#shown;
    const { run, corpora } = this.#store.get();
    const headings = corpora[run?.corpus]?.headings;
    const passage = reading?.passages[this.#stream];
    this.#characters = passage ? charactersOf(passage) : [];
    this.#first = this.#characters.findIndex(({ read }) => read);
    this.#last = this.#characters.findLastIndex(({ read }) => read);
    this.#chosen = null;
    this.#spans = this.#characters.map(spanOf);
    const [first, last] = [this.#first, this.#last + 1];
    const read = el("span", { class: "sequence" }, ...this.#spans.slice(first, last));
    const context = (spans) => el("span", { class: "context" }, ...spans);
    const whole = passage
      ? [context(this.#spans.slice(0, first)), read, context(this.#spans.slice(last))]
      : [];
    find("#reading-text").replaceChildren(...whole);
    setText(find("#reading-place"), passage ? placeSentence(reading, passage, run, headings) : "");
    setText(find("#reading-sentence"), passage ? mostSurprising(passage) : "");
    setText(find("#reading-character"), passage ? HINT : "");
    if (passage) this.#centre(read);
  }

  /** Lines are broken elsewhere in another size. */
  #measure() {
    const read = this.#excerpt.querySelector(".sequence");
    if (read && this.#excerpt.clientHeight && sizeOf(this.#excerpt) !== this.#size) {
      this.#centre(read);
    }
  }

  /**
   * Scroll within the card so that the characters read are about a third from the top, and no line
   * is cut there.
   */
  #centre(read) {
    const excerpt = this.#excerpt;
    const wanted = read.getBoundingClientRect().top - excerpt.clientHeight / 3;
    const tops = this.#spans.map((span) => span.getBoundingClientRect().top);
    const top = tops.find((each) => each >= wanted) ?? wanted;
    this.#size = sizeOf(excerpt);
    excerpt.scrollTop += top - excerpt.getBoundingClientRect().top;
  }

  /** Go to the previous or next update. */
  #step(by) {
    const { run, reading, pinned } = this.#store.get();
    if (!reading) return;
    // Relative to the requested update, even if it has not arrived yet.
    const update = (pinned ?? reading.update) + by;
    this.#store.dispatch({ type: "pin", update: Math.min(Math.max(update, 1), run.update) });
  }

  #choose(index) {
    if (index === this.#chosen) return;
    this.#spans[this.#chosen]?.classList.remove("chosen");
    this.#chosen = index;
    this.#spans[index]?.classList.add("chosen");
    const character = this.#characters[index];
    setText(find("#reading-character"), character ? aboutCharacter(character) : HINT);
  }

  /** The arrow keys move between characters, starting with the most surprising one. */
  #key(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (this.#chosen === null && isClicked(event.target)) return;
    if (!by || !this.#characters.length || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const first = this.#characters.findIndex(({ rank }) => rank === 0);
    const next = this.#chosen === null ? Math.max(first, this.#first) : this.#chosen + by;
    this.#choose(Math.min(Math.max(next, 0), this.#characters.length - 1));
    this.#spans[this.#chosen].scrollIntoView({ block: "nearest" });
  }
}

/** On a phone this card is below the curve, so it must be scrolled into view after a tap there. */
function bringIntoView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  if (top >= 0 && bottom <= window.innerHeight) return;
  const behavior = reducedMotion.matches ? "auto" : "smooth";
  element.scrollIntoView({ block: "nearest", behavior });
}

const title = (reading, live) =>
  `${live ? "Reading" : "Text read"} at update ${format.count(reading.update)}`;

const sizeOf = ({ clientWidth, clientHeight }) => `${clientWidth} x ${clientHeight}`;

const indexOf = (target) => (target.dataset?.i === undefined ? null : Number(target.dataset.i));

function spanOf({ character, bits, read, rank, blank }, i) {
  const step = stepOf(bits);
  const classes = [
    step && `tint tint-${step}`,
    rank >= 0 && "surprising",
    blank ? "blank-line" : character === "\n" && (read || step > 2) && "line-end",
  ];
  const span = el("span", { class: classes.filter(Boolean).join(" ") || null, text: character });
  span.dataset.i = String(i);
  return span;
}

/** The tints, each with the bits at which it begins. */
const legend = () =>
  [0, ...STEPS_BITS].map((bits, i) =>
    el("span", { class: i ? `tint tint-${i}` : null, text: format.plain(bits) }),
  );
