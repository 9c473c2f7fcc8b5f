/**
 * The projector layout of the watch page: the curve, the newest writing and three figures, all
 * large enough for the last row.
 */

import * as api from "../net/api.js";
import { el, find, rooted } from "../lib/dom.js";
import { FullScreenLayout } from "../ui/full-screen.js";
import { readSession } from "./session.js";

const STORED = "hurrah-projector";

export class Projector {
  #code = el("img", { class: "projector-code", id: "projector-code", hidden: true });
  #layout = new FullScreenLayout("data-projector", (on) => this.#changed(on));

  constructor() {
    document.body.append(this.#code);
    find("#lecture-projector").addEventListener("click", () => this.toggle());
    find("#projector-leave").addEventListener("click", () => this.leave());
    // The presenter has come back from another page.
    if (sessionStorage.getItem(STORED)) this.#layout.show(true);
  }

  /** Enter or leave the layout. */
  toggle() {
    return this.#layout.toggle();
  }

  /** Leave the layout. @returns {boolean} whether it was there. */
  leave() {
    return this.#layout.leave();
  }

  /** Show or hide the QR code of the lecture in a corner of the layout. */
  toggleCode() {
    const session = readSession();
    if (!this.#layout.isOn || !session) return;
    this.#code.src = rooted(api.qrCodeOf(session.id));
    this.#code.alt = "QR code of the viewer link";
    this.#code.hidden = !this.#code.hidden;
  }

  /** @param {boolean} on */
  #changed(on) {
    if (on) sessionStorage.setItem(STORED, "1");
    else sessionStorage.removeItem(STORED);
    this.#code.hidden = true;
    window.dispatchEvent(new Event("resize"));
  }
}
