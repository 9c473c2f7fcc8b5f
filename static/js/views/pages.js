/** The loss by page: the epochs laid over each other; the book where one points. */

import { getText } from "../api.js";
import { chapterAt, pageOf } from "../book.js";
import { find, setText } from "../dom.js";
import * as format from "../format.js";
import {
  PAGES_MARGIN,
  axisOf,
  binAt,
  coarsened,
  epochsInWords,
  pagesPlotOf,
  pagesUnitOf,
  pagesWidthOf,
  updatesIn,
} from "../pages.js";
import { colours, onTheme } from "../theme.js";

const BETWEEN_DRAWINGS_MS = 250;
const REST_MS = 120;
const EXCERPT = 110;
const EXCERPTS_KEPT = 60;
const CLICK_PX = 4;
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
  #excerpts = new Map(); // by "corpus place"
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
    frame.addEventListener("pointerleave", () => this.#leave());
    frame.addEventListener("pointerdown", (event) => {
      this.#point(event);
      // Plotly lays a cover over the page for as long as the button is down: see pointing.js.
      this.#pressed = this.#at && { x: event.clientX, y: event.clientY, bin: this.#at.bin };
    });
    window.addEventListener("pointerup", (event) => this.#lift(event), { capture: true });
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
    const before = this.#at?.epoch;
    this.#at = { bin, x: l + x, epoch: nearestEpoch(pages.rows, bin, unit.back(loss)) };
    this.#say();
    if (this.#at.epoch !== before) this.#schedule();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#lookUp(), REST_MS);
  }

  #leave() {
    if (this.#at === null) return;
    clearTimeout(this.#resting);
    this.#at = null;
    this.#say();
    this.#schedule();
  }

  /** A press that did not move opens what was read there, the last time that it was. */
  #lift(event) {
    const pressed = this.#pressed;
    this.#pressed = null;
    const { run } = this.#store.get();
    const pages = this.#pages;
    if (!pressed || !run || !pages) return;
    if (Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) > CLICK_PX) return;
    const { bin } = pressed;
    const row = pages.rows.findLast(({ loss }) => Number.isFinite(loss[bin]));
    if (!row) return;
    const [from, to] = updatesIn(run, pages.positions, bin, row.epoch);
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
      setText(find("#pages-readout"), `mean loss, in ${unit.words}; ${epochsInWords(pages.rows)}`);
      setText(find("#pages-excerpt"), "");
      return;
    }
    const { epoch, x } = this.#at;
    // The chart may have become narrower, and its bins fewer, since.
    const bin = Math.min(this.#at.bin, pages.positions.length - 1);
    crosshair.style.transform = `translateX(${x}px)`;
    const position = pages.positions[bin];
    const row = pages.rows.find((one) => one.epoch === epoch);
    const loss = `epoch ${format.count(epoch)}: loss ${format.rounded(unit.of(row?.loss[bin] ?? null), unit.digits)}`;
    setText(find("#pages-readout"), `${placeInWords(state, position)}, ${loss}`);
    setText(find("#pages-excerpt"), this.#excerpts.get(`${run.corpus} ${position}`) ?? "");
  }

  /** Fetch the book's own words where the pointer rests. */
  async #lookUp() {
    const { run } = this.#store.get();
    if (!this.#at || !run) return;
    const position = this.#pages.positions[this.#at.bin];
    const key = `${run.corpus} ${position}`;
    if (this.#excerpts.has(key)) return;
    const found = await getText(run.corpus, position, position + EXCERPT).catch(() => null);
    if (!found) return;
    this.#excerpts.set(key, `“… ${found.text.replace(/\s+/gu, " ").trim()} …”`);
    if (this.#excerpts.size > EXCERPTS_KEPT) {
      this.#excerpts.delete(this.#excerpts.keys().next().value);
    }
    this.#say();
  }
}

/** The epoch whose line runs nearest to a loss in a bin; the newest where none has come there. */
function nearestEpoch(rows, bin, loss) {
  const apart = ({ loss: losses }) =>
    Number.isFinite(losses[bin]) ? Math.abs(losses[bin] - loss) : Infinity;
  return rows.toReversed().reduce((a, b) => (apart(b) < apart(a) ? b : a)).epoch;
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
