/**
 * What can be done to the curve with a pointer: drag to look closer, with shift to move along, with
 * two fingers to do both; turn the wheel; press twice to go back to all of it.
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
  #pointers = new Map(); // pointers that are down, by id: where they are, in pixels of the plot
  #drag = null;

  /**
   * @param {HTMLElement} frame what holds the chart.
   * @param {HTMLElement} overlay what lies over the plot.
   * @param {{scales: () => Object, zoom: (window: number[], scales: Object) => void,
   *   press: (place: {x: number, y: number}) => void, back: () => void}} actions `zoom` gets a window in pixels of
   *   `scales`, see curve/zoom.js; `press` what is pressed and not dragged.
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

  /** Where an event is, in pixels of the plot; null outside of it, or over what lies on it. */
  inPlot(event) {
    if (event.target.closest?.(".notice, .pin-card")) return null;
    const { x, y } = this.#position(event);
    const { width, height } = this.#actions.scales();
    const within = x >= 0 && x <= width && y >= -MARGIN.t && y <= height + MARGIN.b;
    return within ? { x, y } : null;
  }

  /** Whether something is being dragged. */
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
      if (kind !== "touch") event.preventDefault(); // no text is to be selected
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

  /** With one finger left of two, it is over: what the other did next would be a surprise. */
  #end() {
    this.#drag = null;
    this.#box.hidden = true;
  }

  #boxOf(x) {
    const { from, scales } = this.#drag;
    const end = Math.min(Math.max(x, 0), scales.width);
    return [Math.min(from.x, end), Math.max(from.x, end)];
  }

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

/** Whether the wheel is needed to get further down a page that is higher than its window. */
function scrollsPage({ deltaX, deltaY, ctrlKey, shiftKey }) {
  const { scrollHeight } = document.documentElement;
  const down = Math.abs(deltaY) > Math.abs(deltaX) && !ctrlKey && !shiftKey;
  return down && scrollHeight > window.innerHeight + 1;
}
