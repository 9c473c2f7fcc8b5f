/** The loss by page: the epochs laid over each other; the book where one points. */

import { chapterAt, pageAt } from "../lib/book-pages.js";
import { find, setText } from "../lib/dom.js";
import { excerptAt, fetchExcerpt } from "./excerpts.js";
import * as format from "../lib/format.js";
import {
  POSITION_MARGIN,
  axisOf,
  binAt,
  coarsen,
  epochsAt,
  epochsSentence,
  middleOf,
  nearestEpoch,
  positionPlotOf,
  positionUnitOf,
  plotWidthOf,
  positionOfUpdate,
  updatesIn,
} from "./position-plot.js";
import { colours, onTheme } from "../lib/theme.js";

const DRAW_EVERY_MS = 250;
const REST_MS = 120;
const CLICK_PX = 4;
const X_STEPS = {
  ...{ ArrowLeft: -1, ArrowRight: 1, PageUp: 10, PageDown: -10 },
  ...{ Home: -Infinity, End: Infinity },
};
const Y_STEPS = { ArrowUp: 1, ArrowDown: -1 };
const CONFIG = { displayModeBar: false, doubleClick: false, showTips: false };

export class PositionChart {
  #store;
  #frame = find("#position-chart");
  #plot = find("#position-plot");
  #plotly = null;
  #load;
  #palette = colours();
  #timer = null;
  #drawnAt = 0;
  #lossRange = [0, 1];
  #byPosition = null; // as coarse as they are drawn
  #target = null; // {bin, epoch, x} while something points there
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
    frame.addEventListener("pointermove", (event) => this.#onPointer(event), { capture: true });
    // Plotly lays a cover over the page for as long as the button is down: see chart/hover.js.
    frame.addEventListener("pointerleave", () => this.#pressed || this.#clear());
    frame.addEventListener("pointerdown", (event) => {
      this.#onPointer(event);
      this.#pressed = this.#target && { ...this.#target, left: event.clientX, top: event.clientY };
    });
    const plot = this.#plot;
    plot.addEventListener("focus", () => plot.matches(":focus-visible") && this.#startAtUpdate());
    plot.addEventListener("blur", () => plot.matches(":hover") || this.#clear());
    plot.addEventListener("keydown", (event) => this.#key(event));
    window.addEventListener("pointerup", (event) => this.#onRelease(event), { capture: true });
    window.addEventListener("pointercancel", () => {
      this.#pressed = null;
      this.#clear();
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
        this.#byPosition = this.#target = null;
      },
    );
    store.watch(
      (state) => [state.curveTab, state.lossByPosition, state.pinned, state.unit, state.corpora, state.runId],
      () => this.#schedule(),
    );
  }

  #schedule() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#drawnAt + DRAW_EVERY_MS - performance.now());
    this.#timer = setTimeout(() => requestAnimationFrame(() => this.#draw()), wait);
  }

  #draw() {
    this.#timer = null;
    const state = this.#store.get();
    const size = { width: this.#frame.clientWidth, height: this.#frame.clientHeight };
    const seen = state.curveTab === "position" && size.width > 0 && document.visibilityState === "visible";
    if (!seen || !state.run) return;
    if (!this.#plotly) {
      this.#loadOnce();
      return;
    }
    if (!state.lossByPosition?.rows.length) {
      this.#target = null;
      setText(find("#position-readout"), "nothing has been read yet");
      return;
    }
    this.#drawnAt = performance.now();
    const font = getComputedStyle(document.documentElement).fontFamily;
    const hoveredEpoch = this.#target?.epoch ?? null;
    const byPosition = (this.#byPosition = coarsen(state.lossByPosition, plotWidthOf(size.width)));
    const drawn = { ...state, lossByPosition: byPosition };
    const { data, layout, losses } = positionPlotOf(drawn, this.#palette, size, font, hoveredEpoch);
    this.#lossRange = losses;
    this.#plotly.react(this.#plot, data, layout, CONFIG);
    this.#frame.dataset.drawnEpochs = state.lossByPosition.rows.map(({ epoch }) => epoch).join(" ");
    this.#showReadout();
  }

  async #loadOnce() {
    const load = this.#load;
    this.#load = null;
    if (!load) return;
    this.#plotly = await load();
    this.#schedule();
  }

  #onPointer(event) {
    const state = this.#store.get();
    const { run } = state;
    const byPosition = this.#byPosition;
    const box = this.#frame.getBoundingClientRect();
    const { l, r, t, b } = POSITION_MARGIN;
    const [width, height] = [box.width - l - r, box.height - t - b];
    const x = event.clientX - box.left - l;
    const y = event.clientY - box.top - t;
    if (!byPosition || !run || x < 0 || x > width || y < 0 || y > height) {
      this.#clear();
      return;
    }
    const [from, to] = axisOf(run).range;
    const bin = binAt(run, byPosition.positions, from + (x / width) * (to - from));
    const unit = positionUnitOf(state);
    const loss = this.#lossRange[1] - (y / height) * (this.#lossRange[1] - this.#lossRange[0]);
    this.#goTo({ bin, x: l + x, epoch: nearestEpoch(byPosition.rows, bin, unit.toNats(loss)) });
  }

  #goTo(at) {
    const before = this.#target?.epoch;
    this.#target = at;
    this.#showReadout();
    if (at.epoch !== before) this.#schedule();
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#fetchExcerpt(), REST_MS);
  }

  /** Point at the middle of a bin, at an epoch's line or, where that has not come, the newest. */
  #goToBin(bin, epoch) {
    const { run } = this.#store.get();
    const { positions, rows } = this.#byPosition;
    const [from, to] = axisOf(run).range;
    const width = plotWidthOf(this.#frame.clientWidth);
    const x = POSITION_MARGIN.l + ((middleOf(run, positions, bin) - from) / (to - from)) * width;
    const there = epochsAt(rows, bin);
    const newest = there.length ? Math.max(...there) : rows.at(-1).epoch;
    this.#goTo({ bin, x, epoch: there.includes(epoch) ? epoch : newest });
  }

  /** The keyboard begins where the update in view is read, else where the newest line ends. */
  #startAtUpdate() {
    const { run, pinned } = this.#store.get();
    if (!run || !this.#byPosition) return;
    const { positions, rows } = this.#byPosition;
    const place = positionOfUpdate(run, Math.max(pinned ?? run.update, 1));
    this.#goToBin(binAt(run, positions, axisOf(run).of(place)), rows.at(-1).epoch);
  }

  /** The arrows go from place to place and, upright, from line to line; Enter opens the book. */
  #key(event) {
    const xStep = X_STEPS[event.key];
    const yStep = Y_STEPS[event.key];
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (!plain || !this.#byPosition || !(xStep || yStep || event.key === "Enter")) return;
    event.preventDefault();
    if (!this.#target) this.#startAtUpdate();
    const { bin, epoch } = this.#target;
    const last = this.#byPosition.positions.length - 1;
    if (xStep) {
      this.#goToBin(Math.min(Math.max(bin + xStep, 0), last), epoch);
    } else if (yStep) {
      const there = epochsAt(this.#byPosition.rows, bin);
      this.#goToBin(bin, there[there.indexOf(epoch) + yStep] ?? epoch);
    } else {
      this.#open(this.#target);
    }
  }

  #clear() {
    if (this.#target === null) return;
    clearTimeout(this.#resting);
    this.#target = null;
    this.#showReadout();
    this.#schedule();
  }

  /** A press that did not move opens what was read there. */
  #onRelease(event) {
    const pressed = this.#pressed;
    this.#pressed = null;
    if (!pressed) return;
    const moved = Math.hypot(event.clientX - pressed.left, event.clientY - pressed.top);
    if (moved <= CLICK_PX) this.#open(pressed);
    else this.#onPointer(event);
  }

  /** Open the book where the epoch that is pointed at read it. */
  #open({ bin, epoch }) {
    const { run } = this.#store.get();
    const byPosition = this.#byPosition;
    if (!run || !byPosition || !epochsAt(byPosition.rows, bin).includes(epoch)) return;
    const [from, to] = updatesIn(run, byPosition.positions, bin, epoch);
    this.#store.dispatch({ type: "findPeak", from, to: Math.min(to, run.update) });
  }

  /** Bring the crosshair and the words above the plot up to date. */
  #showReadout() {
    const state = this.#store.get();
    const { run } = state;
    const byPosition = this.#byPosition;
    const crosshair = find("#position-crosshair");
    crosshair.hidden = this.#target === null;
    if (!byPosition || !run) return;
    const unit = positionUnitOf(state);
    if (this.#target === null) {
      this.#setReadout(0, `mean loss, in ${unit.label}; ${epochsSentence(byPosition.rows)}`, "");
      return;
    }
    const { epoch, x } = this.#target;
    // The chart may have become narrower, and its bins fewer, since.
    const bin = Math.min(this.#target.bin, byPosition.positions.length - 1);
    crosshair.style.transform = `translateX(${x}px)`;
    const position = byPosition.positions[bin];
    const row = byPosition.rows.find((one) => one.epoch === epoch);
    const loss = `epoch ${format.count(epoch)}: loss ${format.rounded(unit.of(row?.loss[bin] ?? null), unit.digits)}`;
    this.#setReadout(bin, `${positionText(state, position)}, ${loss}`, excerptAt(run.corpus, position));
  }

  /** Say it above the plot, and to who can't see that. */
  #setReadout(bin, words, excerpt) {
    setText(find("#position-readout"), words);
    setText(find("#position-excerpt"), excerpt);
    const plot = this.#plot;
    plot.setAttribute("aria-valuemax", String(this.#byPosition.positions.length));
    plot.setAttribute("aria-valuenow", String(bin + 1));
    plot.setAttribute("aria-valuetext", [words, excerpt].filter(Boolean).join(". "));
  }

  /** Fetch the book's own words where the pointer rests. */
  async #fetchExcerpt() {
    const { run } = this.#store.get();
    if (!this.#target || !run) return;
    const position = this.#byPosition.positions[this.#target.bin];
    if (await fetchExcerpt(run.corpus, position)) this.#showReadout();
  }
}

function positionText({ run, corpora }, position) {
  if (run.spec.batch_size > 1) {
    const part = run.updates_per_epoch * run.spec.sequence_length;
    return `${format.share(position / part)} into each part`;
  }
  const chapter = chapterAt(corpora[run.corpus]?.headings, position);
  const page = `page ${format.count(pageAt(position, run.corpus_characters))}`;
  return chapter ? `${page} (${chapter})` : page;
}
