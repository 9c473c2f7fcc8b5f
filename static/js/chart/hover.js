/** Pointing at the curve: what was the loss there, what is marked, what was written then? */

import { indexAt, smoothAt } from "../curve/loss-curve.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { MARGIN, markedCurve, scalesOf } from "../curve/scales.js";
import { describeMarks, marksNear, marksOf, xLabel } from "./markers.js";
import { DEFAULT_SMOOTHING } from "../curve/smoothing.js";
import { zoomedWindow, windowToRange } from "../curve/zoom.js";
import { Gestures } from "./gestures.js";

const NEAR_SAMPLE_PX = 16;
const MARK_PX = 10; // as near as this to a mark is on it
const NEAR_PX = 2; // a spike is as narrow as a line
const DOUBLE_PRESS_MS = 600; // two presses within it may be a double one

export class Hover {
  #store;
  #frame;
  #sizeOf;
  #position = null; // where something points, in pixels of the plot
  #gestures;
  #beforePress = null; // what the last press left
  #pressedAt = -Infinity;

  /**
   * @param {Object} store
   * @param {HTMLElement} frame what holds the chart.
   * @param {() => {width: number, height: number}} sizeOf the whole chart, in pixels.
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

  /** Bring the crosshair and the words about what is there up to date. */
  show() {
    const state = this.#store.get();
    const scales = this.#scales();
    const crosshair = find("#crosshair");
    const known = this.#position !== null && scales.curve.update.length > 0;
    crosshair.hidden = !known;
    setText(find("#chart-readout"), known ? this.#reading(state, scales) : axesSentence(state, scales));
    if (known) crosshair.style.transform = `translateX(${MARGIN.l + this.#position.x}px)`;
    showMarks(known ? this.#marks(state, scales) : [], scales, state);
  }

  /** Show `factor` times as much, about what is pointed at, else pinned, else the middle. */
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

  #reading(state, scales) {
    const { curve, unit, xAxis } = scales;
    const i = indexAt(curve, Math.round(scales.pixelToUpdate(this.#position.x)));
    const figure = (loss) => format.rounded(unit.of(loss), unit.digits);
    const position = xLabel(xAxis, curve.update[i]);
    const label = [
      `update ${format.count(curve.update[i])}${position && ` (${position})`}: ` +
        `${smoothWords(state)} ${figure(curve.smooth[i])}`,
      `loss ${figure(curve.low[i])} to ${figure(curve.high[i])}`,
    ];
    return label.join(", ");
  }

  /** The marks that are pointed at; samples only from close by, since they are everywhere. */
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
    const inside = position && position.x >= 0 && position.x <= width && position.y <= height;
    this.#hoverAt(inside && this.#store.get().run ? position : null);
  }

  #hoverAt(position) {
    this.#position = position;
    const update = position && Math.max(Math.round(this.#scales().pixelToUpdate(position.x)), 0);
    this.#store.dispatch({ type: "hover", update });
    this.show();
  }

  /** Stay with what is pressed: a mark, else what was read at the greatest loss drawn there. */
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
      // The mark of a hurrah opens the text that holds its word.
      const asWritten = mark.kind === "hurrah";
      this.#store.dispatch({ type: "pin", update: mark.update, asWritten });
      if (asWritten) this.#store.dispatch({ type: "sideTab", sideTab: "writing" });
      return;
    }
    const clamped = (update) => Math.min(Math.max(update, 1), state.run.update);
    const from = clamped(Math.floor(scales.pixelToUpdate(x - NEAR_PX)));
    const to = clamped(Math.ceil(scales.pixelToUpdate(x + NEAR_PX)));
    this.#store.dispatch({ type: "findPeak", from, to });
  }

  /** The mark that is pressed, undefined for none; samples are for the timeline. */
  #markAt({ x, y }, state, scales) {
    const curve = markedCurve(state);
    return marksNear(marksOf(state), scales.updateToPixel, x).find(({ kind, update }) => {
      const loss = smoothAt(curve, update);
      return kind !== "sample" && loss !== null && Math.abs(scales.lossToPixel(loss) - y) < MARK_PX;
    });
  }

  /** Two presses go back to all of the curve; what the first of them opened was not meant. */
  #reset() {
    this.#zoom(null);
    if (!this.#beforePress) return;
    this.#store.dispatch({ type: "pin", update: this.#beforePress.pinned });
    this.#store.dispatch({ type: "sideTab", sideTab: this.#beforePress.sideTab });
  }

  #zoom(range) {
    this.#store.dispatch({ type: "zoom", range });
    // What is pointed at is another update now; after a drag the pointer is elsewhere, too.
    this.#hoverAt(this.#gestures.busy ? null : this.#position);
  }
}

const smoothWords = ({ smoothing }) => (smoothing === "0" ? "last loss" : "smooth loss");

/** What the axes show, said where the readout stands while nothing is pointed at. */
function axesSentence({ smoothing }, { unit, xAxis }) {
  const loss = unit.name === "perplexity" ? "perplexity" : `loss, in ${unit.label}`;
  const over = xAxis.name === "updates" ? "" : `, over ${xAxis.label}`;
  const how = smoothing === "0" ? ", not smoothed" : `, smoothed by ${smoothing}`;
  return `${loss}${over}${smoothing === DEFAULT_SMOOTHING ? "" : how}`;
}

/** Tell what the marks are, beside the first of them. */
function showMarks(marks, scales, state) {
  const label = find("#chart-mark");
  label.hidden = !marks.length;
  if (!marks.length) return;
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
}
