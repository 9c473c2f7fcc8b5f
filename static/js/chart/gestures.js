/**
 * What can be done to the curve with a pointer: drag to look closer, with shift to move along, with
 * two fingers to do both; turn the wheel; press twice to go back to all of it.
 */

import { el } from "../lib/dom.js";
import { MARGIN } from "../curve/scales.js";
import { around, pinched } from "../curve/zoom.js";

const CLICK_PX = 4;
const LEAST_BOX_PX = 6;
const WHEEL_STEP = 0.0016;

export class Gestures {
  #frame;
  #deeds;
  #box = el("div", { class: "zoom-box", hidden: true });
  #held = new Map(); // pointers that are down, by id: where they are, in pixels of the plot
  #drag = null;

  /**
   * @param {HTMLElement} frame what holds the chart.
   * @param {HTMLElement} overlay what lies over the plot.
   * @param {{picture: () => Object, zoom: (window: number[], picture: Object) => void,
   *   press: (place: {x: number, y: number}) => void, back: () => void}} deeds `zoom` gets a window in pixels of
   *   `picture`, see curve/zoom.js; `press` what is pressed and not dragged.
   */
  constructor(frame, overlay, deeds) {
    this.#frame = frame;
    this.#deeds = deeds;
    overlay.append(this.#box);
    frame.addEventListener("pointerdown", (event) => this.#down(event));
    window.addEventListener("pointermove", (event) => this.#move(event));
    window.addEventListener("pointerup", (event) => this.#up(event));
    window.addEventListener("pointercancel", (event) => this.#cancel(event));
    frame.addEventListener("wheel", (event) => this.#turn(event), { passive: false });
    frame.addEventListener("dblclick", (event) => this.inPlot(event) && deeds.back());
  }

  /** Where an event is, in pixels of the plot; null outside of it, or over what lies on it. */
  inPlot(event) {
    if (event.target.closest?.(".notice, .pin-card")) return null;
    const { x, y } = this.#place(event);
    const { width, height } = this.#deeds.picture();
    const within = x >= 0 && x <= width && y >= -MARGIN.t && y <= height + MARGIN.b;
    return within ? { x, y } : null;
  }

  /** Whether something is being dragged. */
  get busy() {
    return this.#drag !== null && this.#drag.kind !== "press";
  }

  #place(event) {
    const frame = this.#frame.getBoundingClientRect();
    return { x: event.clientX - frame.left - MARGIN.l, y: event.clientY - frame.top - MARGIN.t };
  }

  #down(event) {
    const place = this.inPlot(event);
    if (!place || event.button !== 0) return;
    this.#held.set(event.pointerId, place.x);
    const picture = this.#deeds.picture();
    const from = [...this.#held.values()];
    if (this.#held.size === 2) {
      this.#drag = { kind: "pinch", picture, from };
    } else if (this.#held.size === 1) {
      const kind = event.pointerType === "touch" ? "touch" : event.shiftKey ? "pan" : "box";
      this.#drag = { kind: "press", then: kind, picture, from: place, id: event.pointerId };
      if (kind !== "touch") event.preventDefault(); // no text is to be selected
    }
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag || !this.#held.has(event.pointerId)) return;
    const { x, y } = this.#place(event);
    this.#held.set(event.pointerId, x);
    const { picture } = drag;
    if (drag.kind === "pinch") {
      const to = [...this.#held.values()];
      if (to.length === 2) this.#deeds.zoom(pinched(drag.from, to, picture.width), picture);
      return;
    }
    if (drag.kind === "press") {
      if (Math.hypot(x - drag.from.x, y - drag.from.y) < CLICK_PX) return;
      drag.kind = drag.then;
    }
    if (drag.kind === "pan") {
      const by = drag.from.x - x;
      this.#deeds.zoom([by, by + picture.width], picture);
    } else if (drag.kind === "box") {
      this.#showBox(this.#boxOf(x));
    }
  }

  #up(event) {
    const drag = this.#drag;
    if (!this.#held.delete(event.pointerId) || !drag) return;
    if (drag.kind === "press") this.#deeds.press(drag.from);
    if (drag.kind === "box") {
      const [left, right] = this.#boxOf(this.#place(event).x);
      if (right - left >= LEAST_BOX_PX) this.#deeds.zoom([left, right], drag.picture);
    }
    this.#end();
  }

  #cancel(event) {
    if (this.#held.delete(event.pointerId)) this.#end();
  }

  /** With one finger left of two, it is over: what the other did next would be a surprise. */
  #end() {
    this.#drag = null;
    this.#box.hidden = true;
  }

  #boxOf(x) {
    const { from, picture } = this.#drag;
    const end = Math.min(Math.max(x, 0), picture.width);
    return [Math.min(from.x, end), Math.max(from.x, end)];
  }

  #showBox([left, right]) {
    this.#box.hidden = false;
    this.#box.style.translate = `${MARGIN.l + left}px 0`;
    this.#box.style.inlineSize = `${right - left}px`;
  }

  #turn(event) {
    const place = this.inPlot(event);
    if (!place || scrollsPage(event)) return;
    event.preventDefault();
    const picture = this.#deeds.picture();
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 16 : 1;
    const [across, along] = [event.deltaX * lines, event.deltaY * lines];
    const moves = event.shiftKey || Math.abs(across) > Math.abs(along);
    if (moves) {
      const by = across || along;
      this.#deeds.zoom([by, by + picture.width], picture);
    } else {
      const factor = Math.exp(Math.max(-120, Math.min(120, along)) * WHEEL_STEP);
      this.#deeds.zoom(around(place.x, factor, picture.width), picture);
    }
  }
}

/** Whether the wheel is needed to get further down a page that is higher than its window. */
function scrollsPage({ deltaX, deltaY, ctrlKey, shiftKey }) {
  const { scrollHeight } = document.documentElement;
  const down = Math.abs(deltaY) > Math.abs(deltaX) && !ctrlKey && !shiftKey;
  return down && scrollHeight > window.innerHeight + 1;
}
