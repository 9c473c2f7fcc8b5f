/** The controls that go through an update: buttons, slider, keys, and playing. */

import { find, reducedMotion, setText } from "../../lib/dom.js";
import { isClicked } from "../../lib/focus.js";

const INTERVAL_MS = 1100;

export class Player {
  #store;
  #count = 1;
  #play = find("#update-play");
  #slider = find("#update-position");
  #caption = find("#update-caption");
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {InsideStore} store */
  constructor(store) {
    this.#store = store;
    this.#play.addEventListener("click", () => this.toggle());
    find("#update-previous").addEventListener("click", () => this.#step(-1));
    find("#update-next").addEventListener("click", () => this.#step(1));
    this.#slider.addEventListener("input", () => {
      this.pause();
      this.#goTo(this.#slider.valueAsNumber);
    });
    document.addEventListener("keydown", (event) => this.#onKey(event));
    reducedMotion.addEventListener("change", () => this.#offer());
    this.#offer();
  }

  /** Without motion there is nothing to play: only steps. */
  #offer() {
    this.#play.hidden = reducedMotion.matches;
    if (reducedMotion.matches) this.pause();
  }

  /** @param {number} count of the positions. */
  set count(count) {
    this.#count = count;
    this.#slider.max = String(count - 1);
  }

  /**
   * @param {number} index
   * @param {string} label
   * @param {string} caption
   */
  show(index, label, caption) {
    this.#slider.value = String(index);
    this.#slider.setAttribute("aria-valuetext", label);
    setText(find("#update-phase"), label);
    setText(this.#caption, caption);
    find("#update-previous").disabled = index === 0;
    find("#update-next").disabled = index >= this.#count - 1;
  }

  toggle() {
    if (this.#timer) this.pause();
    else if (!reducedMotion.matches) this.#start();
  }

  #start() {
    if (this.#index >= this.#count - 1) this.#goTo(0);
    this.#timer = setInterval(() => this.#tick(), INTERVAL_MS);
    this.#mark("Pause", "#icon-pause");
    // A sentence a second is more than a screen reader can say.
    this.#caption.setAttribute("aria-live", "off");
  }

  pause() {
    if (!this.#timer) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#mark("Play", "#icon-play");
    this.#caption.setAttribute("aria-live", "polite");
  }

  /**
   * @param {string} name
   * @param {string} icon
   */
  #mark(name, icon) {
    this.#play.setAttribute("aria-label", name);
    find("use", this.#play).setAttribute("href", icon);
  }

  get #index() {
    return this.#store.get().updateStep;
  }

  #tick() {
    const isShown = this.#store.get().view === "update" && !document.hidden;
    if (!isShown) this.pause();
    else this.#goTo(this.#index + 1);
    if (this.#index >= this.#count - 1) this.pause();
  }

  /** @param {number} by */
  #step(by) {
    this.pause();
    this.#goTo(this.#index + by);
  }

  /** @param {number} index */
  #goTo(index) {
    const updateStep = Math.min(Math.max(index, 0), this.#count - 1);
    this.#store.dispatch({ type: "set", values: { updateStep } });
  }

  /** @param {KeyboardEvent} event */
  #onKey(event) {
    const { view } = this.#store.get();
    if (view !== "update" || find("#update").hidden || event.defaultPrevented) return;
    if (event.ctrlKey || event.metaKey || event.altKey || takesKey(event)) return;
    const action = {
      ArrowLeft: () => this.#step(-1),
      ArrowRight: () => this.#step(1),
      Home: () => this.#step(-Infinity),
      End: () => this.#step(Infinity),
      " ": () => event.repeat || this.toggle(),
    }[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }
}

/** Whether the focused element uses the key itself. @param {KeyboardEvent} event */
function takesKey({ target, key }) {
  if (!(target instanceof Element)) return false;
  if (target.closest("dialog, textarea, select, input:not([type=range]), [role=tab]")) return true;
  if (target.closest("input")) return key !== " ";
  return key === " " && target.closest("button, summary, a") !== null && !isClicked(target);
}
