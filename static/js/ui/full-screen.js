/**
 * A layout that fills the screen of a projector. The style sheet enlarges the text of the whole
 * page; what is drawn by a script measures it again. The layout does without the browser's full
 * screen where the browser refuses it.
 */

import { measureText } from "../lib/dom.js";

export class FullScreenLayout {
  #attribute;
  #changed;
  /** Whether the browser's full screen was entered by the layout, and ends with it. */
  #entered = false;

  /**
   * @param {string} attribute of the root element, while the layout is shown.
   * @param {(on: boolean) => void} changed
   */
  constructor(attribute, changed) {
    this.#attribute = attribute;
    this.#changed = changed;
    document.addEventListener("fullscreenchange", () => {
      if (this.#entered && !document.fullscreenElement) this.leave();
    });
  }

  get isOn() {
    return document.documentElement.hasAttribute(this.#attribute);
  }

  /** @param {boolean} on */
  show(on) {
    document.documentElement.toggleAttribute(this.#attribute, on);
    measureText();
    this.#changed(on);
  }

  /** Enter or leave the layout. */
  async toggle() {
    if (this.leave()) return;
    this.show(true);
    if (!document.fullscreenEnabled || document.fullscreenElement) return;
    try {
      await document.documentElement.requestFullscreen();
      this.#entered = this.isOn;
      // The layout was left meanwhile.
      if (!this.isOn) await document.exitFullscreen();
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
    }
  }

  /** Leave the layout. @returns {boolean} whether it was there. */
  leave() {
    if (!this.isOn) return false;
    this.show(false);
    if (this.#entered && document.fullscreenElement) document.exitFullscreen();
    this.#entered = false;
    return true;
  }
}
