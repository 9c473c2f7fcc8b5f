/** The quality of the samples: three figures, each with a sparkline over the updates. */

import { el, find, setText, svg } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { textModeOf, textInView, textOf, samplesWithText } from "../state/samples.js";
import { heightOf, nearestPosition, pathOf, positionsOf } from "../ui/sparkline.js";

/**
 * @typedef {Object} Measure
 * @property {"real_words" | "longest_real_run" | "longest_copy"} key
 * @property {string} words
 * @property {string} [word] for the value 1.
 * @property {(quality: Partial<Quality>) => string | null} [wordsOf] in place of `words`.
 * @property {string} term
 * @property {string} about
 * @property {(value: number, quality: Partial<Quality>) => string} show
 */

/** @type {Measure[]} */
const MEASURES = [
  {
    key: "real_words",
    words: "real words",
    wordsOf: ({ words }) => (words ? `real words of ${format.count(words)}` : null),
    term: "real-words",
    about: "Share of real words",
    // A text without words has no share of real ones.
    show: (value, { words }) => (words === 0 ? format.NO_VALUE : format.share(value)),
  },
  {
    key: "longest_real_run",
    words: "real words in a row",
    word: "real word in a row",
    term: "in-a-row",
    about: "Longest run of real words",
    show: format.count,
  },
  {
    key: "longest_copy",
    words: "characters copied",
    word: "character copied",
    term: "copied",
    about: "Longest verbatim copy, in characters",
    show: format.count,
  },
];

/** @type {{key: "spelling" | "word_bigrams", words: string, title: string}[]} */
const SHARES = [
  {
    key: "spelling",
    words: "of longer words spelled right",
    title: "The share of the words of at least three letters that are in the corpus",
  },
  {
    key: "word_bigrams",
    words: "of word pairs in the corpus",
    title: "The share of the pairs of consecutive words that are consecutive in the corpus too",
  },
];

/**
 * "64% real words of 152  7 real words in a row  14 characters copied  58% of longer words spelled
 * right  21% of word pairs in the corpus"; a text of an earlier version lacks the last two.
 */
export function qualityFigures(quality) {
  if (!quality) return [];
  const figures = MEASURES.map((measure) => {
    const figure = el("b", { text: measure.show(quality[measure.key], quality) });
    return el("span", {}, figure, ` ${unitOf(measure, quality)}`);
  });
  const known = SHARES.filter(({ key }) => typeof quality[key] === "number");
  const shares = known.map(({ key, words, title }) =>
    el("span", { title }, el("b", { text: format.share(quality[key]) }), ` ${words}`),
  );
  return [...figures, ...shares];
}

/** "58% of longer words spelled right, 21% of word pairs in the corpus"; "" if neither is known. */
const sharesText = (quality) =>
  SHARES.filter(({ key }) => typeof quality[key] === "number")
    .map(({ key, words }) => `${format.share(quality[key])} ${words}`)
    .join(", ");

/**
 * "characters copied", or "character copied" for 1; "real words of 2", since a share alone does not
 * tell how many words there are.
 *
 * @param {Measure} measure
 * @param {Partial<Quality>} quality
 */
const unitOf = ({ key, words, word, wordsOf }, quality) =>
  wordsOf?.(quality) || (quality[key] === 1 && word ? word : words);

/**
 * @param {WatchStore} store
 * @param {{selectSample: (sample: Sample) => void}} timeline
 */
export function mountQuality(store, timeline) {
  const curves = MEASURES.map((measure) => new QualityCurve(measure, store, timeline));
  find("#quality").replaceChildren(...curves.map(({ element }) => element));
  const show = (sample) => curves.forEach((curve) => curve.showMarker(sample));
  store.watch(
    (state) => [state.samples, textModeOf(state), state.scale === "log"],
    (samples, textMode, log) => {
      const shown = samplesWithText(samples, textMode);
      const positions = positionsOf(
        shown.map(({ update }) => update),
        log,
      );
      const qualities = shown.map((sample) => textOf(sample, textMode).quality);
      for (const curve of curves) curve.draw(shown, qualities, positions);
      show(textInView(store.get()).sample);
    },
  );
  store.watch((state) => [textInView(state).sample], show);
}

class QualityCurve {
  element;

  #measure;
  #store;
  #figure = el("b", { text: format.NO_VALUE });
  #words = el("button", { type: "button", class: "quality-words term" });
  #line = svg("path", { "vector-effect": "non-scaling-stroke" });
  #marker = el("span", { class: "spark-point", hidden: true });
  #plot;
  #samples = [];
  #qualities = [];
  #values = [];
  #positions = [];
  #most = 0;

  constructor(measure, store, timeline) {
    this.#measure = measure;
    this.#store = store;
    this.#words.dataset.term = measure.term;
    this.#plot = el(
      "div",
      {
        class: "spark",
        role: "slider",
        tabindex: "0",
        "aria-label": measure.about,
        "aria-valuemin": "0",
        on: {
          pointermove: (event) => this.#onPointer(event),
          pointerleave: () => store.dispatch({ type: "hover", update: null }),
          click: (event) => timeline.selectSample(this.#samples[this.#indexAt(event)]),
        },
      },
      svg(
        "svg",
        { viewBox: "0 0 100 100", preserveAspectRatio: "none", "aria-hidden": "true" },
        this.#line,
      ),
      this.#marker,
    );
    this.element = el(
      "div",
      { class: "quality-curve" },
      this.#figure,
      this.#plot,
      this.#words,
    );
  }

  /** Draw the whole sparkline. */
  draw(samples, qualities, positions) {
    const { key } = this.#measure;
    this.#samples = samples;
    this.#positions = positions;
    this.#qualities = qualities.map((quality) => quality ?? {});
    this.#values = this.#qualities.map((quality) => quality[key] ?? 0);
    this.#most = Math.max(...this.#values, 0);
    this.#line.setAttribute("d", pathOf(this.#values, positions, this.#most));
  }

  /** Show the figure of a sample and its position on the sparkline. */
  showMarker(sample) {
    const { about } = this.#measure;
    const index = this.#samples.indexOf(sample);
    this.#marker.hidden = index < 0;
    setText(this.#figure, index < 0 ? format.NO_VALUE : this.#figureOf(index));
    setText(this.#words, unitOf(this.#measure, this.#qualities[index] ?? {}));
    this.#plot.setAttribute("aria-valuemax", String(Math.max(this.#samples.length - 1, 0)));
    this.#plot.setAttribute("aria-valuenow", String(Math.max(index, 0)));
    this.#plot.setAttribute("aria-valuetext", this.#describe(index));
    if (index < 0) return;
    // Relative to the size of the plot: a translation does not cause a layout shift.
    const [left, top] = [this.#positions[index] * 100, heightOf(this.#values[index], this.#most)];
    this.#marker.style.translate = `${left}cqw ${top}cqh`;
    const shares = this.#measure.key === "real_words" ? sharesText(this.#qualities[index]) : "";
    const most = `${about}, maximum so far ${this.#textOf(this.#mostIndex)}`;
    this.#plot.title = shares ? `${most}. This sample: ${shares}` : most;
  }

  get #mostIndex() {
    return this.#values.lastIndexOf(this.#most);
  }

  #figureOf(index) {
    return this.#measure.show(this.#values[index], this.#qualities[index]);
  }

  /** "53%, real words of 81"; "7" */
  #textOf(index) {
    const about = this.#measure.wordsOf?.(this.#qualities[index]);
    return [this.#figureOf(index), about].filter(Boolean).join(", ");
  }

  /** "53%, real words of 81, at update 44,000; maximum 58%, real words of 79, at 42,000". */
  #describe(index) {
    const sample = this.#samples[index];
    if (!sample) return "no samples yet";
    const best = this.#samples[this.#mostIndex];
    const now = `${this.#textOf(index)}, at update ${format.count(sample.update)}`;
    return `${now}; maximum ${this.#textOf(this.#mostIndex)}, at ${format.count(best.update)}`;
  }

  #indexAt(event) {
    const { left, width } = this.#plot.getBoundingClientRect();
    return nearestPosition(this.#positions, width ? (event.clientX - left) / width : 1);
  }

  #onPointer(event) {
    const sample = this.#samples[this.#indexAt(event)];
    if (sample) this.#store.dispatch({ type: "hover", update: sample.update });
  }
}
