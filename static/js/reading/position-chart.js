/** The loss by page: the epochs laid over each other; the book where one points. */

import { chapterAt, pageOf } from "../lib/book-pages.js";
import { find, setText } from "../lib/dom.js";
import { excerptAt, fetchExcerpt } from "./excerpts.js";
import * as format from "../lib/format.js";
import {
  PAGES_MARGIN,
  axisOf,
  binAt,
  coarsened,
  epochsAt,
  epochsInWords,
  middleOf,
  nearestEpoch,
  pagesPlotOf,
  pagesUnitOf,
  pagesWidthOf,
  placeOfUpdate,
  updatesIn,
} from "./position-plot.js";
import { colours, onTheme } from "../lib/theme.js";

const BETWEEN_DRAWINGS_MS = 250;
const REST_MS = 120;
const CLICK_PX = 4;
const ACROSS = {
  ...{ ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 },
  ...{ Home: -Infinity, End: Infinity },
};
const UP = { ArrowUp: 1, ArrowDown: -1 };
const CONFIG = { displayModeBar: false, doubleClick: false, showTips: false };

export class PagesChart {
  #store;
  #frame = find("#pages");
  #plot = find("#pages-plot");
  #plotly = null;
  #load;
  #palette = colours();
  #timer = null;
  #drawnAt = 0;
  #losses = [0, 1];
  #pages = null; // as coarse as they are drawn
  #at = null; // {bin, epoch, x} while something points there
  #pressed = null;
  #resting = null;

  /**
   * @param {Object} store
   * @param {() => Promise<Object>} load resolves to Plotly.
   */
  constructor(store, load) {
    this.#store = store;
    this.#load = load;
    const frame = this.#frame;
    frame.addEventListener("pointermove", (event) => this.#point(event), { capture: true });
    // Plotly lays a cover over the page for as long as the button is down: see chart/hover.js.
    frame.addEventListener("pointerleave", () => this.#pressed || this.#leave());
    frame.addEventListener("pointerdown", (event) => {
      this.#point(event);
      this.#pressed = this.#at && { ...this.#at, left: event.clientX, top: event.clientY };
    });
    const plot = this.#plot;
    plot.addEventListener("focus", () => plot.matches(":focus-visible") && this.#enter());
    plot.addEventListener("blur", () => plot.matches(":hover") || this.#leave());
    plot.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("pointerup", (event) => this.#lift(event), { capture: true });
    window.addEventListener("pointercancel", () => {
      this.#pressed = null;
      this.#leave();
    });
    new ResizeObserver(() => this.#schedule()).observe(frame);
    onTheme(() => {
      this.#palette = colours();
      this.#schedule();
    });
    document.addEventListener("visibilitychange", () => this.#schedule());
    store.watch(
      (state) => [state.runId],
      () => {
        this.#pages = this.#at = null;
      },
    );
    store.watch(
      (state) => [state.face, state.pages, state.pinned, state.unit, state.corpora, state.runId],
      () => this.#schedule(),
    );
  }

  #schedule() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#drawnAt + BETWEEN_DRAWINGS_MS - performance.now());
    this.#timer = setTimeout(() => requestAnimationFrame(() => this.#draw()), wait);
  }

  #draw() {
    this.#timer = null;
    const state = this.#store.get();
    const size = { width: this.#frame.clientWidth, height: this.#frame.clientHeight };
    const seen = state.face === "pages" && size.width > 0 && document.visibilityState === "visible";
    if (!seen || !state.run) return;
    if (!this.#plotly) {
      this.#loadOnce();
      return;
    }
    if (!state.pages?.rows.length) {
      this.#at = null;
      setText(find("#pages-readout"), "nothing has been read yet");
      return;
    }
    this.#drawnAt = performance.now();
    const font = getComputedStyle(document.documentElement).fontFamily;
    const pointed = this.#at?.epoch ?? null;
    const pages = (this.#pages = coarsened(state.pages, pagesWidthOf(size.width)));
    const drawn = { ...state, pages };
    const { data, layout, losses } = pagesPlotOf(drawn, this.#palette, size, font, pointed);
    this.#losses = losses;
    this.#plotly.react(this.#plot, data, layout, CONFIG);
    this.#frame.dataset.drawnEpochs = state.pages.rows.map(({ epoch }) => epoch).join(" ");
    this.#say();
  }

  async #loadOnce() {
    const load = this.#load;
    this.#load = null;
    if (!load) return;
    this.#plotly = await load();
    this.#schedule();
  }

  #point(event) {
    const state = this.#store.get();
    const { run } = state;
    const pages = this.#pages;
    const box = this.#frame.getBoundingClientRect();
    const { l, r, t, b } = PAGES_MARGIN;
    const [width, height] = [box.width - l - r, box.height - t - b];
    const x = event.clientX - box.left - l;
    const y = event.clientY - box.top - t;
    if (!pages || !run || x < 0 || x > width || y < 0 || y > height) {
      this.#leave();
      return;
    }
    const [from, to] = axisOf(run).range;
    const bin = binAt(run, pages.positions, from + (x / width) * (to - from));
    const unit = pagesUnitOf(state);
    const loss = this.#losses[1] - (y / height) * (this.#losses[1] - this.#losses[0]);
    this.#goTo({ bin, x: l + x, epoch: nearestEpoch(pages.rows, bin, unit.back(loss)) });
  }

  #goTo(at) {
    const before = this.#at?.epoch;
    this.#at = at;
    this.#say();
    if (at.epoch !== before) this.#schedule();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#lookUp(), REST_MS);
  }

  /** Point at the middle of a bin, at an epoch's line or, where that has not come, the newest. */
  #goToBin(bin, epoch) {
    const { run } = this.#store.get();
    const { positions, rows } = this.#pages;
    const [from, to] = axisOf(run).range;
    const width = pagesWidthOf(this.#frame.clientWidth);
    const x = PAGES_MARGIN.l + ((middleOf(run, positions, bin) - from) / (to - from)) * width;
    const there = epochsAt(rows, bin);
    const newest = there.length ? Math.max(...there) : rows.at(-1).epoch;
    this.#goTo({ bin, x, epoch: there.includes(epoch) ? epoch : newest });
  }

  /** The keyboard begins where the update in view is read, else where the newest line ends. */
  #enter() {
    const { run, pinned } = this.#store.get();
    if (!run || !this.#pages) return;
    const { positions, rows } = this.#pages;
    const place = placeOfUpdate(run, Math.max(pinned ?? run.update, 1));
    this.#goToBin(binAt(run, positions, axisOf(run).of(place)), rows.at(-1).epoch);
  }

  /** The arrows go from place to place and, upright, from line to line; Enter opens the book. */
  #key(event) {
    const across = ACROSS[event.key];
    const up = UP[event.key];
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (!plain || !this.#pages || !(across || up || event.key === "Enter")) return;
    event.preventDefault();
    if (!this.#at) this.#enter();
    const { bin, epoch } = this.#at;
    const last = this.#pages.positions.length - 1;
    if (across) {
      this.#goToBin(Math.min(Math.max(bin + across, 0), last), epoch);
    } else if (up) {
      const there = epochsAt(this.#pages.rows, bin);
      this.#goToBin(bin, there[there.indexOf(epoch) + up] ?? epoch);
    } else {
      this.#open(this.#at);
    }
  }

  #leave() {
    if (this.#at === null) return;
    clearTimeout(this.#resting);
    this.#at = null;
    this.#say();
    this.#schedule();
  }

  /** A press that did not move opens what was read there. */
  #lift(event) {
    const pressed = this.#pressed;
    this.#pressed = null;
    if (!pressed) return;
    const moved = Math.hypot(event.clientX - pressed.left, event.clientY - pressed.top);
    if (moved <= CLICK_PX) this.#open(pressed);
    else this.#point(event);
  }

  /** Open the book where the epoch that is pointed at read it. */
  #open({ bin, epoch }) {
    const { run } = this.#store.get();
    const pages = this.#pages;
    if (!run || !pages || !epochsAt(pages.rows, bin).includes(epoch)) return;
    const [from, to] = updatesIn(run, pages.positions, bin, epoch);
    this.#store.dispatch({ type: "seek", from, to: Math.min(to, run.update) });
  }

  /** Bring the crosshair and the words above the plot up to date. */
  #say() {
    const state = this.#store.get();
    const { run } = state;
    const pages = this.#pages;
    const crosshair = find("#pages-crosshair");
    crosshair.hidden = this.#at === null;
    if (!pages || !run) return;
    const unit = pagesUnitOf(state);
    if (this.#at === null) {
      this.#tell(0, `mean loss, in ${unit.words}; ${epochsInWords(pages.rows)}`, "");
      return;
    }
    const { epoch, x } = this.#at;
    // The chart may have become narrower, and its bins fewer, since.
    const bin = Math.min(this.#at.bin, pages.positions.length - 1);
    crosshair.style.transform = `translateX(${x}px)`;
    const position = pages.positions[bin];
    const row = pages.rows.find((one) => one.epoch === epoch);
    const loss = `epoch ${format.count(epoch)}: loss ${format.rounded(unit.of(row?.loss[bin] ?? null), unit.digits)}`;
    this.#tell(bin, `${placeInWords(state, position)}, ${loss}`, excerptAt(run.corpus, position));
  }

  /** Say it above the plot, and to who can't see that. */
  #tell(bin, words, excerpt) {
    setText(find("#pages-readout"), words);
    setText(find("#pages-excerpt"), excerpt);
    const plot = this.#plot;
    plot.setAttribute("aria-valuemax", String(this.#pages.positions.length));
    plot.setAttribute("aria-valuenow", String(bin + 1));
    plot.setAttribute("aria-valuetext", [words, excerpt].filter(Boolean).join(". "));
  }

  /** Fetch the book's own words where the pointer rests. */
  async #lookUp() {
    const { run } = this.#store.get();
    if (!this.#at || !run) return;
    const position = this.#pages.positions[this.#at.bin];
    if (await fetchExcerpt(run.corpus, position)) this.#say();
  }
}

function placeInWords({ run, corpora }, position) {
  if (run.spec.batch_size > 1) {
    const part = run.updates_per_epoch * run.spec.sequence_length;
    return `${format.share(position / part)} into each part`;
  }
  const chapter = chapterAt(corpora[run.corpus]?.headings, position);
  const page = `page ${format.count(pageOf(position, run.corpus_characters))}`;
  return chapter ? `${page} (${chapter})` : page;
}
