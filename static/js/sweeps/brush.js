/** The selection of a part of an axis, with the pointer or with the keyboard. */

import { svg } from "../lib/dom.js";

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {[number, number]} Range two places of an axis, as shares. */

const HIT_PX = 30;
const HANDLE_PX = 7;
const BAND_PX = 12;
const CLICK_PX = 3;
/** @type {Range} */
const ALL = [0, 1];

export class Brush {
  element = svg("g", { class: "brush" });
  #axis;
  #label;
  #changed;
  #band = svg("rect", { class: "brush-band", width: BAND_PX, x: -BAND_PX / 2, rx: 2 });
  #hit = svg("rect", { class: "brush-hit", width: HIT_PX, x: -HIT_PX / 2 });
  #handles = ["from", "to"].map((end) => this.#newHandle(end));
  #height = 0;
  /** @type {Range | null} */
  #range = null;

  /**
   * @param {Axis} axis
   * @param {string} label of the axis.
   * @param {(range: Range | null) => void} changed
   */
  constructor(axis, label, changed) {
    this.#axis = axis;
    this.#label = label;
    this.#changed = changed;
    this.element.append(this.#hit, this.#band, ...this.#handles);
    this.#hit.addEventListener("pointerdown", (event) => this.#drag(/** @type {any} */ (event)));
    this.#band.addEventListener("pointerdown", (event) => this.#drag(/** @type {any} */ (event)));
    // A click on the axis is no click on a line.
    this.element.addEventListener("click", (event) => event.stopPropagation());
  }

  /**
   * @param {Axis} axis its scale may have changed.
   * @param {Range | null} range
   * @param {number} height of the axis in pixels.
   */
  show(axis, range, height) {
    this.#axis = axis;
    this.#range = range;
    this.#height = height;
    this.#hit.setAttribute("height", String(height + 2 * HANDLE_PX));
    this.#hit.setAttribute("y", String(-HANDLE_PX));
    const [from, to] = range ?? ALL;
    this.#band.setAttribute("y", String((1 - to) * height));
    this.#band.setAttribute("height", String((to - from) * height));
    this.element.toggleAttribute("data-set", range !== null);
    const half = axis.kind === "values" ? axis.step / 2 : 0;
    [from, to].forEach((share, i) => {
      const handle = this.#handles[i];
      handle.setAttribute("transform", `translate(0 ${(1 - share) * height})`);
      handle.setAttribute("aria-label", `${this.#label}, ${i ? "to" : "from"}`);
      handle.setAttribute("aria-valuenow", String(Math.round(share * 100)));
      handle.setAttribute("aria-valuetext", axis.text(i ? share - half : share + half));
    });
  }

  /** @param {string} end */
  #newHandle(end) {
    const handle = svg(
      "g",
      {
        class: `brush-handle brush-${end}`,
        role: "slider",
        tabindex: 0,
        "aria-orientation": "vertical",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
      },
      svg("rect", {
        class: "brush-grip",
        x: -HIT_PX / 2,
        y: -HANDLE_PX,
        width: HIT_PX,
        height: 2 * HANDLE_PX,
      }),
      svg("path", { d: end === "from" ? "M-8 0H8L0 6z" : "M-8 0H8L0-6z" }),
    );
    const i = end === "from" ? 0 : 1;
    handle.addEventListener("keydown", (event) => this.#key(i, /** @type {any} */ (event)));
    handle.addEventListener("pointerdown", (event) => this.#drag(/** @type {any} */ (event), i));
    return handle;
  }

  /**
   * @param {0 | 1} i the end
   * @param {KeyboardEvent} event
   */
  #key(i, event) {
    const { step } = this.#axis;
    const now = [...(this.#range ?? ALL)];
    /** @type {Record<string, number>} */
    const moved = {
      ArrowUp: now[i] + step,
      ArrowRight: now[i] + step,
      ArrowDown: now[i] - step,
      ArrowLeft: now[i] - step,
      PageUp: now[i] + 5 * step,
      PageDown: now[i] - 5 * step,
      Home: 0,
      End: 1,
    };
    if (event.key === "Escape" && this.#range) this.#set(null);
    else if (event.key in moved) {
      const [least, most] = i ? [now[0] + step, 1] : [0, now[1] - step];
      now[i] = Math.min(Math.max(moved[event.key], least), most);
      this.#set(/** @type {Range} */ (now));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {Range | null} range */
  #set(range) {
    const exact = range && range.map((share) => Number(share.toFixed(6)));
    const whole = !exact || (exact[0] <= 0 && exact[1] >= 1);
    this.#changed(whole ? null : /** @type {Range} */ (exact));
  }

  /**
   * Drag an end, the whole range, or a new one.
   *
   * @param {PointerEvent} event
   * @param {0 | 1} [end]
   */
  #drag(event, end) {
    if (event.button !== 0) return;
    event.stopPropagation();
    const { top } = this.#hit.getBoundingClientRect();
    const shareAt = (/** @type {number} */ y) => 1 - (y - top - HANDLE_PX) / this.#height;
    const start = shareAt(event.clientY);
    const before = this.#range;
    const isInside = before !== null && start > before[0] && start < before[1];
    const target = /** @type {Element} */ (event.currentTarget);
    target.setPointerCapture(event.pointerId);

    /** @param {number} share @returns {Range} */
    const range = (share) => {
      const old = before ?? ALL;
      if (end !== undefined) return ordered(share, old[1 - end]);
      if (!isInside) return ordered(start, share);
      const shift = Math.min(Math.max(share - start, -before[0]), 1 - before[1]);
      return [before[0] + shift, before[1] + shift];
    };
    let hasMoved = false;
    const move = (/** @type {any} */ { clientY }) => {
      hasMoved ||= Math.abs(clientY - event.clientY) >= CLICK_PX;
      if (hasMoved) this.#set(this.#snapped(range(shareAt(clientY))));
    };
    const done = () => {
      target.removeEventListener("pointermove", move);
      if (!hasMoved && end === undefined) this.#set(null);
    };
    target.addEventListener("pointermove", move);
    target.addEventListener("pointerup", done, { once: true });
    target.addEventListener("pointercancel", done, { once: true });
  }

  /**
   * On an axis of single values a range has whole places, at least one.
   *
   * @param {Range} range
   * @returns {Range}
   */
  #snapped([from, to]) {
    const [low, high] = [Math.max(from, 0), Math.min(to, 1)];
    if (this.#axis.kind !== "values") return [low, high];
    const { step } = this.#axis;
    const first = Math.floor(low / step + 1e-6);
    return [first * step, Math.max(Math.ceil(high / step - 1e-6), first + 1) * step];
  }
}

/** @param {number} a @param {number} b @returns {Range} */
const ordered = (a, b) => (a < b ? [a, b] : [b, a]);
