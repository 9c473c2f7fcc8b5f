/** The presenter's pointer: where it is on the page, and the dot that shows it. */

import { el } from "../lib/dom.js";

const SEND_EVERY_MS = 50;
const HELD_MS = 300;
const KEY = ".";

/** The dot at the place where the presenter points. */
export class ShownPointer {
  #dot = el("div", { class: "lecture-pointer", "aria-hidden": "true", hidden: true });
  /** @type {LecturePointer | null} */
  #pointer = null;

  constructor() {
    document.body.append(this.#dot);
    const place = () => this.#place();
    window.addEventListener("scroll", place, { capture: true, passive: true });
    window.addEventListener("resize", place);
  }

  /** @param {LecturePointer | null} pointer */
  show(pointer) {
    this.#pointer = pointer;
    this.#place();
  }

  #place() {
    const box = this.#pointer && boxOf(this.#pointer.target);
    this.#dot.hidden = !box;
    if (!this.#pointer || !box) return;
    const x = box.left + this.#pointer.x * box.width;
    const y = box.top + this.#pointer.y * box.height;
    this.#dot.style.translate = `${x}px ${y}px`;
  }
}

/**
 * The pointer of a presenter. The button switches it on and off. So does its key; held down, the
 * key shows it until it is released.
 */
export class PresenterPointer {
  #send;
  #button = /** @type {HTMLElement} */ (document.querySelector("#lecture-pointer"));
  #allowed = false;
  #on = false;
  #pressedAt = -Infinity;
  #sentAt = -Infinity;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {LecturePointer | null} */
  #pointer = null;

  /** @param {(pointer: LecturePointer | null) => void} send */
  constructor(send) {
    this.#send = send;
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
    if (this.#on) this.#set(placeOf(event));
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
 * The place of a pointer, relative to the smallest element with an id around it: the same element
 * is elsewhere on a phone.
 *
 * @param {PointerEvent} event
 * @returns {LecturePointer}
 */
function placeOf({ target, clientX, clientY }) {
  const around = /** @type {Element} */ (target).closest?.("[id]");
  const id = around && /^[\w-]{1,100}$/.test(around.id) ? around.id : null;
  const box = boxOf(id);
  if (!box) return { target: null, x: 0, y: 0 };
  return {
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
