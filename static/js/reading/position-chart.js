/** The loss by position in the corpus: one line per epoch, and an excerpt at the pointer. */

import { chapterAt, bookPageAt } from "../lib/book-pages.js";
import { find, setText } from "../lib/dom.js";
import { isClicked } from "../lib/focus.js";
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
import { getSurprisal, Problem } from "../net/api.js";
import { onPrint } from "../lib/print.js";
import { colours, onTheme } from "../lib/theme.js";
import { toast } from "../ui/toasts.js";

const DRAW_EVERY_MS = 250;
const DEBOUNCE_MS = 120;
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
  #byPosition = null; // at the resolution in which they are drawn
  #target = null; // {bin, epoch, x} under the pointer
  #pressed = null;
  #excerptTimer = null;

  /**
   * @param {WatchStore} store
   * @param {() => Promise<any>} load resolves to Plotly.
   */
  constructor(store, load) {
    this.#store = store;
    this.#load = load;
    const frame = this.#frame;
    frame.addEventListener("pointermove", (event) => this.#onPointer(event), { capture: true });
    // Plotly covers the page with an element of its own while the button is down.
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
    onPrint(() => {
      this.#palette = colours();
      this.#draw();
    });
    document.addEventListener("visibilitychange", () => this.#schedule());
    store.watch(
      (state) => [state.runId],
      () => {
        this.#byPosition = this.#target = null;
        delete this.#frame.dataset.drawnEpochs;
      },
    );
    store.watch(
      (state) => [
        state.curveTab,
        state.lossByPosition,
        state.pinned,
        state.unit,
        state.corpora,
        state.runId,
      ],
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
    const seen =
      state.curveTab === "position" && size.width > 0 && document.visibilityState === "visible";
    if (!seen || !state.run) return;
    if (!this.#plotly) {
      this.#loadOnce();
      return;
    }
    if (!state.lossByPosition?.rows.length) {
      this.#target = null;
      setText(find("#position-readout"), "no data yet");
      return;
    }
    this.#drawnAt = performance.now();
    const font = getComputedStyle(document.documentElement).fontFamily;
    const first = this.#byPosition === null;
    const byPosition = (this.#byPosition = coarsen(state.lossByPosition, plotWidthOf(size.width)));
    // The chart may have had the focus before the data came.
    if (first && this.#plot.matches(":focus-visible")) this.#startAtUpdate();
    const drawn = { ...state, lossByPosition: byPosition };
    const hoveredEpoch = this.#target?.epoch ?? null;
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
    clearTimeout(this.#excerptTimer);
    this.#excerptTimer = setTimeout(() => this.#fetchExcerpt(), DEBOUNCE_MS);
  }

  /**
   * Select the middle of a bin on the line of an epoch; if it has not reached the bin, the newest.
   */
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

  /**
   * The keyboard starts at the position of the update in view, or at the end of the newest line.
   */
  #startAtUpdate() {
    const state = this.#store.get();
    const { run, pinned } = state;
    if (!run || !this.#byPosition) return;
    const { positions, rows } = this.#byPosition;
    const place = positionOfUpdate(state, Math.max(pinned ?? run.update, 1)) ?? run.position;
    this.#goToBin(binAt(run, positions, axisOf(run).of(place)), rows.at(-1).epoch);
  }

  /** Left and right change the bin, up and down the epoch; Enter opens the reading. */
  #key(event) {
    const xStep = X_STEPS[event.key];
    const yStep = Y_STEPS[event.key];
    const plain = !(event.ctrlKey || event.metaKey || event.altKey);
    if (isClicked(this.#plot)) return; // the arrow keys move along the timeline
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
    clearTimeout(this.#excerptTimer);
    this.#target = null;
    this.#showReadout();
    this.#schedule();
  }

  /** A press without a drag opens the reading. */
  #onRelease(event) {
    const pressed = this.#pressed;
    this.#pressed = null;
    if (!pressed) return;
    const moved = Math.hypot(event.clientX - pressed.left, event.clientY - pressed.top);
    if (moved <= CLICK_PX) this.#open(pressed);
    else this.#onPointer(event);
  }

  /** Open the reading where an epoch read a bin. */
  async #open({ bin, epoch }) {
    const { run } = this.#store.get();
    const byPosition = this.#byPosition;
    if (!run || !byPosition || !epochsAt(byPosition.rows, bin).includes(epoch)) return;
    if (run.spec.order !== "sequential") {
      await this.#openAt(run, epoch, byPosition.positions[bin]);
      return;
    }
    const [from, to] = updatesIn(run, byPosition.positions, bin, epoch);
    this.#store.dispatch({ type: "findPeak", from, to: Math.min(to, run.update) });
  }

  /** Open the reading of the update that read a position in an epoch; only the server knows it. */
  async #openAt(run, epoch, position) {
    try {
      const place = { epoch, position };
      const { update } = await getSurprisal(run.id, { place }, new AbortController().signal);
      if (this.#store.get().runId !== run.id) return;
      this.#store.dispatch({ type: "findPeak", from: update, to: update });
    } catch (error) {
      // In the newest epoch, the start of a bin may not have been read.
      if (!(error instanceof Problem)) throw error;
      toast(error.message);
    }
  }

  /** Update the crosshair and the readout. */
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
    // The chart may have become narrower since, with fewer bins.
    const bin = Math.min(this.#target.bin, byPosition.positions.length - 1);
    crosshair.style.transform = `translateX(${x}px)`;
    const position = byPosition.positions[bin];
    const row = byPosition.rows.find((one) => one.epoch === epoch);
    const value = format.rounded(unit.of(row?.loss[bin] ?? null), unit.digits);
    const loss = `epoch ${format.count(epoch)}: loss ${value}`;
    this.#setReadout(
      bin,
      `${positionText(state, position)}, ${loss}`,
      excerptAt(run.corpus, position),
    );
  }

  /** Set the readout, also for screen readers. */
  #setReadout(bin, words, excerpt) {
    setText(find("#position-readout"), words);
    setText(find("#position-excerpt"), excerpt);
    const plot = this.#plot;
    plot.setAttribute("aria-valuemax", String(this.#byPosition.positions.length));
    plot.setAttribute("aria-valuenow", String(bin + 1));
    plot.setAttribute("aria-valuetext", [words, excerpt].filter(Boolean).join(". "));
  }

  /** Fetch the excerpt where the pointer rests. */
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
    return `${format.share(position / part)} of each part`;
  }
  const chapter = chapterAt(corpora[run.corpus]?.headings, position);
  const bookPage = `page ${format.count(bookPageAt(position, run.corpus_characters))}`;
  return chapter ? `${bookPage} (${chapter})` : bookPage;
}
