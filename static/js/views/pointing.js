/** Pointing at the curve: what was the loss there, and what did the network write then? */

import { indexAt } from "../curve.js";
import { find, setText } from "../dom.js";
import * as format from "../format.js";
import { MARGIN, plotWidthOf, scaleOf, visibleCurve } from "../geometry.js";
import { indexInView } from "../samples.js";

const CLICK_PX = 4;
const MARK_PX = 8; // as near as this to a hurrah's mark is on it
const WHEEL_REST_MS = 250;
const AFTER_DRAG_MS = 40;
const AT_REST = "loss, in nats a sequence";

export class Pointing {
  /** Whether a drag or the wheel is at work: drawing now would tear its rubber band away. */
  busy = false;

  #store;
  #frame;
  #redraw;
  #x = null; // in pixels from the left edge of the plot, while something points there
  #pressed = null;
  #resting = null;

  /**
   * @param {Object} store
   * @param {HTMLElement} frame what holds the chart.
   * @param {() => void} redraw called when `busy` ends.
   */
  constructor(store, frame, redraw) {
    this.#store = store;
    this.#frame = frame;
    this.#redraw = redraw;
    const capture = { capture: true };
    frame.addEventListener("pointermove", (event) => this.#move(event), capture);
    frame.addEventListener("pointerleave", () => this.#point(null));
    frame.addEventListener("pointerdown", (event) => this.#press(event), capture);
    frame.addEventListener("wheel", () => this.#turn(), { capture: true, passive: true });
    window.addEventListener("pointerup", (event) => this.#lift(event), capture);
    window.addEventListener("pointercancel", () => this.#release());
  }

  /** Bring the crosshair and the line of words above the plot up to date. */
  show() {
    const crosshair = find("#crosshair");
    crosshair.hidden = this.#x === null;
    const state = this.#store.get();
    if (this.#x === null || !state.curve.update.length) {
      setText(find("#chart-readout"), AT_REST);
      return;
    }
    crosshair.style.transform = `translateX(${MARGIN.l + this.#x}px)`;
    const width = this.#plotWidth();
    const curve = visibleCurve(state, width);
    const i = indexAt(curve, scaleOf(state, width).toUpdate(this.#x));
    const words = [
      `update ${format.count(curve.update[i])}: smooth loss ${format.loss(curve.smooth[i])}`,
      `loss ${format.loss(curve.low[i])} to ${format.loss(curve.high[i])}`,
    ];
    setText(find("#chart-readout"), words.join(", "));
  }

  #plotWidth() {
    return plotWidthOf({ width: this.#frame.clientWidth });
  }

  #move(event) {
    const box = this.#frame.getBoundingClientRect();
    const x = event.clientX - box.left - MARGIN.l;
    const y = event.clientY - box.top - MARGIN.t;
    const inPlot = x >= 0 && x <= this.#plotWidth() && y >= 0 && y <= box.height - MARGIN.t;
    const hidden = event.target.closest(".notice");
    this.#point(inPlot && !hidden && this.#store.get().run ? x : null);
  }

  #point(x) {
    this.#x = x;
    const update =
      x === null
        ? null
        : Math.round(scaleOf(this.#store.get(), this.#plotWidth()).toUpdate(x));
    this.#store.dispatch({ type: "point", update });
    this.show();
  }

  #press(event) {
    this.#pressed = { x: event.clientX, y: event.clientY };
    this.busy = event.pointerType === "mouse" && Boolean(event.target.closest(".draglayer"));
  }

  /** A press that did not move stays with the sample pointed at. */
  #lift(event) {
    if (!this.#pressed) return;
    const { x, y } = this.#pressed;
    this.#pressed = null;
    const still = Math.hypot(event.clientX - x, event.clientY - y) < CLICK_PX;
    if (still && this.#x !== null) this.#pin();
    // Plotly ends its own drag in listeners that run after this one.
    setTimeout(() => this.#release(), AFTER_DRAG_MS);
  }

  /** Stay with the sample pointed at; the mark of a hurrah opens the text that holds its word. */
  #pin() {
    const state = this.#store.get();
    const { toPixel } = scaleOf(state, this.#plotWidth());
    const near = ({ update, hurrahs }) =>
      hurrahs?.length && Math.abs(toPixel(Math.max(update, 1)) - this.#x) < MARK_PX;
    const marked = state.samples.find(near);
    const sample = marked ?? state.samples[indexInView(state)];
    if (!sample) return;
    this.#store.dispatch({ type: "pin", update: sample.update, asWritten: Boolean(marked) });
  }

  #turn() {
    this.busy = true;
    clearTimeout(this.#resting);
    this.#resting = setTimeout(() => this.#release(), WHEEL_REST_MS);
  }

  #release() {
    this.busy = false;
    this.#redraw();
  }
}
