/** Pointing at the curve: what was the loss there, and what did the network write then? */

import { indexAt, smoothAt } from "../curve.js";
import { find, setText } from "../dom.js";
import * as format from "../format.js";
import { MARGIN, lossToPixel, plotWidthOf, scaleOf, visibleCurve } from "../geometry.js";

const CLICK_PX = 4;
const MARK_PX = 10; // as near as this to a hurrah's mark is on it
const NEAR_PX = 2; // a spike is as narrow as a line
const DOUBLE_MS = 500;
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
  #before = null; // what the last click left
  #stayedAt = -Infinity;
  #twice = false;

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
    this.#move(event); // a finger comes without having moved
    // Plotly lays a cover over the page for as long as the button is down: then nothing is pointed at.
    this.#pressed = { x: event.clientX, y: event.clientY, at: this.#x };
    this.busy = event.pointerType === "mouse" && Boolean(event.target.closest(".draglayer"));
  }

  /** A press that did not move stays with the greatest loss that is drawn there. */
  #lift(event) {
    if (!this.#pressed) return;
    const { x, y, at } = this.#pressed;
    this.#pressed = null;
    const still = Math.hypot(event.clientX - x, event.clientY - y) < CLICK_PX;
    if (still && at !== null) this.#stay(at, y - this.#frame.getBoundingClientRect().top);
    // Plotly ends its own drag in listeners that run after this one.
    setTimeout(() => this.#release(), AFTER_DRAG_MS);
  }

  /** The hurrah whose mark is pointed at, as a sample; undefined where there is none. */
  #markAt(x, y, state) {
    const { toPixel } = scaleOf(state, this.#plotWidth());
    const losses = find("#chart-plot").layout?.yaxis.range;
    const size = { width: this.#frame.clientWidth, height: this.#frame.clientHeight };
    return state.samples.find(({ update, hurrahs }) => {
      if (!hurrahs?.length || !losses) return false;
      const across = toPixel(Math.max(update, 1)) - x;
      const down = MARGIN.t + lossToPixel(smoothAt(state.curve, update), losses, size) - y;
      return Math.hypot(across, down) < MARK_PX;
    });
  }

  /** What the first click of a double one opened was not meant. */
  takeBack() {
    if (!this.#twice) return; // Plotly takes some touches for two clicks
    const { pinned, card } = this.#before;
    this.#store.dispatch({ type: "pin", update: pinned });
    this.#store.dispatch({ type: "card", card });
  }

  /** Stay with what was read at the greatest loss there, or with the text of a hurrah's mark. */
  #stay(x, y) {
    const state = this.#store.get();
    const { run } = state;
    if (!run.update) return;
    const now = performance.now();
    this.#twice = now - this.#stayedAt < DOUBLE_MS;
    this.#stayedAt = now;
    if (!this.#twice) this.#before = { pinned: state.pinned, card: state.card };
    const marked = this.#markAt(x, y, state);
    if (marked) {
      this.#store.dispatch({ type: "pin", update: marked.update, asWritten: true });
      this.#store.dispatch({ type: "card", card: "writing" });
      return;
    }
    const { toUpdate } = scaleOf(state, this.#plotWidth());
    const made = (update) => Math.min(Math.max(update, 1), run.update);
    const from = made(Math.floor(toUpdate(x - NEAR_PX)));
    const to = made(Math.ceil(toUpdate(x + NEAR_PX)));
    this.#store.dispatch({ type: "seek", from, to });
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
