/** The presenter's pointer: where it is on the page, and the ring that shows it. */

import { el } from "../lib/dom.js";
import { locateText, textPlaceAt } from "./text-places.js";

const SEND_EVERY_MS = 50;
const PLACE_EVERY_MS = 100;
const HELD_MS = 300;
const KEY = ".";

/** The ring around the place where the presenter points. */
export class ShownPointer {
  #ring = el("div", { class: "lecture-pointer", "aria-hidden": "true", hidden: true });
  #curve;
  /** @type {LecturePointer | null} */
  #pointer = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {import("./curve-places.js").CurvePlaces | null} curve */
  constructor(curve) {
    this.#curve = curve;
    document.body.append(this.#ring);
    const place = () => this.#place();
    window.addEventListener("scroll", place, { capture: true, passive: true });
    window.addEventListener("resize", place);
  }

  /**
   * @param {LecturePointer | null} pointer
   * @param {boolean} [scroll] whether the text may be scrolled to it.
   */
  show(pointer, scroll = false) {
    this.#pointer = pointer;
    clearInterval(this.#timer);
    // The curve moves while the run trains, and texts are replaced.
    if (pointer) this.#timer = setInterval(() => this.#place(), PLACE_EVERY_MS);
    this.#place(scroll);
  }

  #place(scroll = false) {
    const at = this.#pointer && this.#locate(this.#pointer, scroll);
    this.#ring.hidden = !at;
    if (at) this.#ring.style.translate = `${at.x}px ${at.y}px`;
  }

  /**
   * @param {LecturePointer} pointer
   * @param {boolean} scroll
   */
  #locate(pointer, scroll) {
    if (pointer.kind === "curve") return this.#curve?.locate(pointer) ?? null;
    if (pointer.kind === "text") return locateText(pointer, scroll);
    const box = boxOf(pointer.target);
    if (!box) return null;
    return { x: box.left + pointer.x * box.width, y: box.top + pointer.y * box.height };
  }
}

/**
 * The pointer of a presenter. The button switches it on and off. So does its key; held down, the
 * key shows it until it is released.
 */
export class PresenterPointer {
  #send;
  #curve;
  #button = /** @type {HTMLElement} */ (document.querySelector("#lecture-pointer"));
  #allowed = false;
  #on = false;
  #pressedAt = -Infinity;
  #sentAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {LecturePointer | null} */
  #pointer = null;

  /**
   * @param {(pointer: LecturePointer | null) => void} send
   * @param {import("./curve-places.js").CurvePlaces | null} curve
   */
  constructor(send, curve) {
    this.#send = send;
    this.#curve = curve;
    this.#button.addEventListener("click", () => this.#switch(!this.#on));
    document.addEventListener("pointermove", (event) => this.#move(event), { passive: true });
    document.documentElement.addEventListener("pointerleave", () => this.#set(null));
    document.addEventListener("keydown", (event) => {
      if (event.key !== KEY || event.repeat || !this.#allowed || isTyping(event)) return;
      this.#pressedAt = performance.now();
      this.#switch(!this.#on);
    });
    document.addEventListener("keyup", (event) => {
      if (event.key !== KEY || !this.#on) return;
      if (performance.now() - this.#pressedAt >= HELD_MS) this.#switch(false);
    });
  }

  /** @param {boolean} allowed whether this page presents. */
  setAllowed(allowed) {
    this.#allowed = allowed;
    if (!allowed && this.#on) this.#switch(false);
  }

  /** @param {boolean} on */
  #switch(on) {
    this.#on = on;
    this.#button.setAttribute("aria-pressed", String(on));
    document.documentElement.toggleAttribute("data-pointing", on);
    if (on) return;
    clearTimeout(this.#timer);
    this.#pointer = null;
    this.#send(null);
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (this.#on) this.#set(placeOf(event, this.#curve));
  }

  /** @param {LecturePointer | null} pointer */
  #set(pointer) {
    if (!this.#on) return;
    this.#pointer = pointer;
    clearTimeout(this.#timer);
    const waitMs = this.#sentAt + SEND_EVERY_MS - performance.now();
    const send = () => {
      this.#sentAt = performance.now();
      this.#send(this.#pointer);
    };
    if (waitMs <= 0) send();
    else this.#timer = setTimeout(send, waitMs);
  }
}

/** @param {string | null} target */
function boxOf(target) {
  if (target === null) {
    return { left: 0, top: 0, width: window.innerWidth, height: window.innerHeight };
  }
  const box = document.getElementById(target)?.getBoundingClientRect();
  return box?.width && box.height ? box : null;
}

/**
 * The place of a pointer: a point of the curve or a character of a text, so that it is the same one
 * in a window of another size. Elsewhere it is relative to the smallest element with an id around
 * it, which is elsewhere on a phone.
 *
 * @param {PointerEvent} event
 * @param {import("./curve-places.js").CurvePlaces | null} curve
 * @returns {LecturePointer}
 */
function placeOf({ target, clientX, clientY }, curve) {
  const element = target instanceof Element ? target : document.documentElement;
  const inside =
    curve?.at(element, clientX, clientY) ?? textPlaceAt(element, clientX, clientY) ?? null;
  if (inside) return inside;
  const around = element.closest("[id]");
  const id = around && /^[\w-]{1,100}$/.test(around.id) ? around.id : null;
  const box = boxOf(id);
  if (!box) return { kind: "box", target: null, x: 0, y: 0 };
  return {
    kind: "box",
    target: id,
    x: share(clientX - box.left, box.width),
    y: share(clientY - box.top, box.height),
  };
}

/** @type {(length: number, whole: number) => number} */
const share = (length, whole) => Number(Math.min(Math.max(length / whole, 0), 1).toFixed(4));

/** @param {KeyboardEvent} event */
const isTyping = ({ target, ctrlKey, metaKey, altKey }) =>
  ctrlKey ||
  metaKey ||
  altKey ||
  /** @type {Element} */ (target).closest?.("input, textarea, select, [contenteditable]") != null;
