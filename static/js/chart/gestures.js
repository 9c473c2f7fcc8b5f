/**
 * Pointer gestures on the chart: drag to zoom in, Shift and drag to pan, two fingers for both, the
 * wheel to zoom, and a double press to reset the zoom.
 */

import { el } from "../lib/dom.js";
import { MARGIN } from "../curve/scales.js";
import { zoomedWindow, pinchedWindow } from "../curve/zoom.js";

const CLICK_PX = 4;
const LEAST_BOX_PX = 6;
const WHEEL_STEP = 0.0016;

export class Gestures {
  #frame;
  #actions;
  #box = el("div", { class: "zoom-box", hidden: true });
  #pointers = new Map(); // active pointers: id -> x in pixels of the plot
  #drag = null;

  /**
   * @typedef {Object} GestureActions
   * @property {() => ChartScales} scales
   * @property {(window: [number, number], scales: ChartScales) => void} zoom gets a window in
   *   pixels; see curve/zoom.js.
   * @property {(place: {x: number, y: number}) => void} press a press without a drag.
   * @property {() => void} reset
   *
   * @param {HTMLElement} frame the element around the chart.
   * @param {HTMLElement} overlay the element on top of the plot.
   * @param {GestureActions} actions
   */
  constructor(frame, overlay, actions) {
    this.#frame = frame;
    this.#actions = actions;
    overlay.append(this.#box);
    frame.addEventListener("pointerdown", (event) => this.#onDown(event));
    window.addEventListener("pointermove", (event) => this.#onMove(event));
    window.addEventListener("pointerup", (event) => this.#onUp(event));
    window.addEventListener("pointercancel", (event) => this.#onCancel(event));
    frame.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    frame.addEventListener("dblclick", (event) => this.inPlot(event) && actions.reset());
  }

  /**
   * The position of an event in pixels of the plot; null outside of it, or on something above it.
   */
  inPlot(event) {
    if (event.target.closest?.(".pin-card")) return null;
    const { x, y } = this.#position(event);
    const { width, height } = this.#actions.scales();
    const within = x >= 0 && x <= width && y >= -MARGIN.t && y <= height + MARGIN.b;
    return within ? { x, y } : null;
  }

  /** Whether a drag is in progress. */
  get busy() {
    return this.#drag !== null && this.#drag.kind !== "press";
  }

  #position(event) {
    const frame = this.#frame.getBoundingClientRect();
    return { x: event.clientX - frame.left - MARGIN.l, y: event.clientY - frame.top - MARGIN.t };
  }

  #onDown(event) {
    const position = this.inPlot(event);
    if (!position || event.button !== 0) return;
    this.#pointers.set(event.pointerId, position.x);
    const scales = this.#actions.scales();
    const from = [...this.#pointers.values()];
    if (this.#pointers.size === 2) {
      this.#drag = { kind: "pinch", scales, from };
    } else if (this.#pointers.size === 1) {
      const kind = event.pointerType === "touch" ? "touch" : event.shiftKey ? "pan" : "box";
      this.#drag = { kind: "press", then: kind, scales, from: position, id: event.pointerId };
      if (kind !== "touch") event.preventDefault(); // a drag must not select text
    }
  }

  #onMove(event) {
    const drag = this.#drag;
    if (!drag || !this.#pointers.has(event.pointerId)) return;
    const { x, y } = this.#position(event);
    this.#pointers.set(event.pointerId, x);
    const { scales } = drag;
    if (drag.kind === "pinch") {
      const to = [...this.#pointers.values()];
      if (to.length === 2) this.#actions.zoom(pinchedWindow(drag.from, to, scales.width), scales);
      return;
    }
    if (drag.kind === "press") {
      if (Math.hypot(x - drag.from.x, y - drag.from.y) < CLICK_PX) return;
      drag.kind = drag.then;
    }
    if (drag.kind === "pan") {
      const by = drag.from.x - x;
      this.#actions.zoom([by, by + scales.width], scales);
    } else if (drag.kind === "box") {
      this.#showBox(this.#boxOf(x));
    }
  }

  #onUp(event) {
    const drag = this.#drag;
    if (!this.#pointers.delete(event.pointerId) || !drag) return;
    if (drag.kind === "press") this.#actions.press(drag.from);
    if (drag.kind === "box") {
      const [left, right] = this.#boxOf(this.#position(event).x);
      if (right - left >= LEAST_BOX_PX) this.#actions.zoom([left, right], drag.scales);
    }
    this.#end();
  }

  #onCancel(event) {
    if (this.#pointers.delete(event.pointerId)) this.#end();
  }

  /** Lifting one of two fingers ends the gesture; the remaining one must not start another. */
  #end() {
    this.#drag = null;
    this.#box.hidden = true;
  }

  /**
   * @param {number} x
   * @returns {[number, number]}
   */
  #boxOf(x) {
    const { from, scales } = this.#drag;
    const end = Math.min(Math.max(x, 0), scales.width);
    return [Math.min(from.x, end), Math.max(from.x, end)];
  }

  /** @param {[number, number]} box */
  #showBox([left, right]) {
    this.#box.hidden = false;
    this.#box.style.translate = `${MARGIN.l + left}px 0`;
    this.#box.style.inlineSize = `${right - left}px`;
  }

  #wheel(event) {
    const position = this.inPlot(event);
    if (!position || scrollsPage(event)) return;
    event.preventDefault();
    const scales = this.#actions.scales();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const [deltaX, deltaY] = [event.deltaX * lines, event.deltaY * lines];
    const moves = event.shiftKey || Math.abs(deltaX) > Math.abs(deltaY);
    if (moves) {
      const by = deltaX || deltaY;
      this.#actions.zoom([by, by + scales.width], scales);
    } else {
      const factor = Math.exp(Math.max(-120, Math.min(120, deltaY)) * WHEEL_STEP);
      this.#actions.zoom(zoomedWindow(position.x, factor, scales.width), scales);
    }
  }
}

/** Whether the wheel has to scroll a page that is higher than its window. */
function scrollsPage({ deltaX, deltaY, ctrlKey, shiftKey }) {
  const { scrollHeight } = document.documentElement;
  const down = Math.abs(deltaY) > Math.abs(deltaX) && !ctrlKey && !shiftKey;
  return down && scrollHeight > window.innerHeight + 1;
}
