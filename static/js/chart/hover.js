/** Hovering over the curve: shows the loss, the marks and the sample at the pointer. */

import { indexAt, smoothAt } from "../curve/loss-curve.js";
import { el, find, reducedMotion, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { MARGIN, markedCurve, scalesOf } from "../curve/scales.js";
import { describeMarks, marksNear, marksOf, xLabel } from "./marks.js";
import { seedsAt } from "../curve/seed-band.js";
import { OWN_SMOOTHING } from "../curve/smoothing.js";
import { zoomedWindow, windowToRange } from "../curve/zoom.js";
import { Gestures } from "./gestures.js";

const NEAR_SAMPLE_PX = 16;
const READOUT_GAP_PX = 14; // between the pointer and the readout
const MARK_LINE_PX = 18;
const MARK_PX = 10; // a press within this distance selects a mark
const NEAR_PX = 2; // a spike is as narrow as a line
const LEAST_TEXT_PX = 160; // of the text that a press opened
const DOUBLE_PRESS_MS = 600; // two presses within it count as a double press

export class Hover {
  #store;
  #frame;
  #sizeOf;
  #position = null; // the pointer, in pixels of the plot
  #gestures;
  #beforePress = null; // what was in view before the last press
  #pressedAt = -Infinity;

  /**
   * @param {WatchStore} store
   * @param {HTMLElement} frame the element around the chart.
   * @param {() => Size} sizeOf the size of the whole chart in pixels.
   */
  constructor(store, frame, sizeOf) {
    this.#store = store;
    this.#frame = frame;
    this.#sizeOf = sizeOf;
    this.#gestures = new Gestures(frame, find("#chart-overlay"), {
      scales: () => this.#scales(),
      zoom: (window, scales) => this.#zoom(windowToRange(store.get(), scales, window)),
      press: (position) => this.#press(position),
      reset: () => this.#reset(),
    });
    frame.addEventListener("pointermove", (event) => this.#move(event));
    frame.addEventListener("pointerleave", () => this.#hoverAt(null));
  }

  /** Update the crosshair and the readout. */
  show() {
    const state = this.#store.get();
    const scales = this.#scales();
    const crosshair = find("#crosshair");
    const x = this.#crosshairAt(state, scales);
    const here = x !== null && this.#position !== null;
    crosshair.hidden = x === null;
    setText(
      find("#chart-readout"),
      x === null ? axesSentence(state, scales) : this.#reading(x, state, scales),
    );
    if (x !== null) crosshair.style.transform = `translateX(${MARGIN.l + x}px)`;
    const below = showMarks(here ? this.#marks(state, scales) : [], scales, state);
    this.#placeReadout(here, below, scales);
  }

  /** Follow the pointer in the charts of the metrics. */
  follow() {
    if (this.#position === null) this.show();
  }

  /** Where the crosshair is: at the pointer, or at the update hovered in another chart. */
  #crosshairAt({ hovered }, { curve, updateToPixel }) {
    if (!curve.update.length) return null;
    if (this.#position) return this.#position.x;
    return hovered === null ? null : updateToPixel(Math.max(hovered, 1));
  }

  /** Beside the pointer, below the label of the marks there; in its corner without a pointer. */
  #placeReadout(known, below, { width, height }) {
    const readout = find("#chart-readout");
    readout.dataset.side = known ? (this.#position.x > width / 2 ? "left" : "right") : "";
    if (!known) {
      readout.style.translate = "";
      return;
    }
    const { x, y } = this.#position;
    const above = below === null && y > height / 2;
    readout.dataset.above = String(above);
    const top = above ? y - READOUT_GAP_PX : Math.max(below ?? 0, y + READOUT_GAP_PX);
    const left = x + (x > width / 2 ? -READOUT_GAP_PX : READOUT_GAP_PX);
    readout.style.translate = `${MARGIN.l + left}px ${MARGIN.t + top}px`;
  }

  /** Zoom by `factor` around the pointer, or else the pinned update, or else the middle. */
  zoomBy(factor) {
    const state = this.#store.get();
    const scales = this.#scales();
    const { width } = scales;
    const pinned = state.pinned === null ? -1 : scales.updateToPixel(Math.max(state.pinned, 1));
    const middle = pinned >= 0 && pinned <= width ? pinned : width / 2;
    const window = zoomedWindow(this.#position?.x ?? middle, factor, width);
    this.#zoom(windowToRange(state, scales, window));
  }

  #scales() {
    return scalesOf(this.#store.get(), this.#sizeOf());
  }

  #reading(x, state, scales) {
    const { curve, unit, xAxis } = scales;
    const { from, to, first, last } = this.#near(x, state, scales);
    const i = indexAt(curve, Math.round(scales.pixelToUpdate(x)));
    const low = curve.low.slice(first, last + 1).reduce((a, b) => Math.min(a, b));
    const high = curve.high.slice(first, last + 1).reduce((a, b) => Math.max(a, b));
    const figure = (loss) => format.rounded(unit.of(loss), unit.digits);
    const position = xLabel(xAxis, curve.update[i]);
    const named = from === to ? "update" : "updates";
    const span = [...new Set([from, to])].map(format.count).join(" to ");
    const losses =
      low === high
        ? `loss ${figure(low)}`
        : `losses ${figure(low)} to ${figure(high)}` +
          (this.#position ? ", a click reads the greatest" : "");
    const seeds = state.seeds === "off" ? null : seedsAt(state.groupLoss, curve.update[i]);
    const mean = seeds ? `, mean of ${format.plural(seeds.runs, "seed", "seeds")} ` : "";
    return (
      `${named} ${span}${position && ` (${position})`}: ` +
      `${smoothWords(state)} ${figure(curve.smooth[i])}` +
      `${mean}${seeds ? figure(seeds.mean) : ""}, ${losses}`
    );
  }

  /**
   * The updates that a press at `x` searches for the greatest loss: those of the points drawn
   * there, `first` to `last`.
   */
  #near(x, state, { curve, pixelToUpdate }) {
    const latest = Math.max(state.run.update, 1);
    const clamped = (update) => Math.min(Math.max(update, 1), latest);
    const first = indexAt(curve, clamped(Math.floor(pixelToUpdate(x - NEAR_PX))));
    const last = indexAt(curve, clamped(Math.ceil(pixelToUpdate(x + NEAR_PX))));
    // The first point drawn may begin before the updates in view.
    const from = first ? curve.update[first - 1] + 1 : Math.min(curve.update[0], latest);
    return { from: clamped(from), to: clamped(curve.update[last]), first, last };
  }

  /**
   * The marks under the pointer. Samples must be close vertically too, since they are everywhere.
   */
  #marks(state, scales) {
    const { x, y } = this.#position;
    const curve = markedCurve(state);
    return marksNear(marksOf(state), scales.updateToPixel, x).filter(({ kind, update }) => {
      const loss = smoothAt(curve, update);
      if (kind !== "sample" || loss === null) return true;
      return Math.abs(scales.lossToPixel(loss) - y) < NEAR_SAMPLE_PX;
    });
  }

  #move(event) {
    if (this.#gestures.busy) return;
    const position = this.#gestures.inPlot(event);
    const { width, height } = this.#scales();
    const inside =
      position && position.x >= 0 && position.x <= width && position.y >= 0 && position.y <= height;
    this.#hoverAt(inside && this.#store.get().run ? position : null);
  }

  #hoverAt(position) {
    this.#position = position;
    const update = position && Math.max(Math.round(this.#scales().pixelToUpdate(position.x)), 0);
    this.#store.dispatch({ type: "hover", update });
    this.show();
  }

  /** Pin the mark that was pressed, or else the greatest loss drawn there. */
  #press({ x, y }) {
    const state = this.#store.get();
    if (!state.run?.update) return;
    const now = performance.now();
    const isDouble = now - this.#pressedAt < DOUBLE_PRESS_MS;
    this.#pressedAt = now;
    if (!isDouble) this.#beforePress = { pinned: state.pinned, sideTab: state.sideTab };
    const scales = this.#scales();
    const mark = this.#markAt({ x, y }, state, scales);
    if (mark) {
      // The mark of a hurrah opens the text that contains the word.
      const asWritten = mark.kind === "hurrah";
      this.#store.dispatch({ type: "pin", update: mark.update, asWritten });
      if (asWritten) this.#store.dispatch({ type: "sideTab", sideTab: "writing" });
      this.#showText();
      return;
    }
    const { from, to } = this.#near(x, state, scales);
    this.#store.dispatch({ type: "findPeak", from, to });
    this.#showText();
  }

  /** In one column the text is below the curve: scroll until both are in view. */
  #showText() {
    const below = find("#controls").getBoundingClientRect().top;
    const { top } = find("#card-tabs").getBoundingClientRect();
    if (top < this.#frame.getBoundingClientRect().bottom || below - top >= LEAST_TEXT_PX) return;
    const behavior = reducedMotion.matches ? "auto" : "smooth";
    this.#frame.scrollIntoView({ block: "start", behavior });
  }

  /** The mark that was pressed; undefined for none. Samples are selected on the timeline. */
  #markAt({ x, y }, state, scales) {
    const curve = markedCurve(state);
    return marksNear(marksOf(state), scales.updateToPixel, x).find(({ kind, update }) => {
      const loss = smoothAt(curve, update);
      return kind !== "sample" && loss !== null && Math.abs(scales.lossToPixel(loss) - y) < MARK_PX;
    });
  }

  /** A double press resets the zoom, and also undoes what the first press opened. */
  #reset() {
    this.#zoom(null);
    if (!this.#beforePress) return;
    this.#store.dispatch({ type: "pin", update: this.#beforePress.pinned });
    this.#store.dispatch({ type: "sideTab", sideTab: this.#beforePress.sideTab });
  }

  #zoom(range) {
    this.#store.dispatch({ type: "zoom", range });
    // After a zoom, the pointer is at another update; after a drag, it is elsewhere.
    this.#hoverAt(this.#gestures.busy ? null : this.#position);
  }
}

const smoothWords = ({ smoothing }) => (smoothing === "0" ? "last loss" : "smooth loss");

/** What the axes show, for the readout while nothing is hovered. */
function axesSentence({ smoothing }, { unit, xAxis }) {
  const loss = unit.name === "perplexity" ? "perplexity" : `loss, in ${unit.label}`;
  const over = xAxis.name === "updates" ? "" : `, over ${xAxis.label}`;
  const how = smoothing === "0" ? ", not smoothed" : `, smoothing ${smoothing}`;
  return `${loss}${over}${smoothing === OWN_SMOOTHING ? "" : how}`;
}

/** Describe marks beside the first of them. Returns where the label ends; null without marks. */
function showMarks(marks, scales, state) {
  const label = find("#chart-mark");
  label.hidden = !marks.length;
  if (!marks.length) return null;
  const lines = describeMarks(marks);
  if (label.dataset.lines !== lines.join("\n")) {
    label.replaceChildren(...lines.map((text) => el("span", { text })));
    label.dataset.lines = lines.join("\n");
  }
  const x = scales.updateToPixel(Math.max(marks[0].update, 1));
  const y = scales.lossToPixel(smoothAt(markedCurve(state), marks[0].update) ?? 0);
  const left = x > scales.width / 2;
  label.style.translate = `${MARGIN.l + x + (left ? -14 : 14)}px ${MARGIN.t + y - 16}px`;
  label.dataset.side = left ? "left" : "right";
  return y + lines.length * MARK_LINE_PX;
}
