/** The drawer that a passage is written in: beside the curve, over the page, or the page itself. */

import { find } from "../lib/dom.js";

const NARROW = matchMedia("(width < 860px)");
const WIDE_FROM = 3; // texts side by side, from which on they need the whole width

export class PassageDrawer {
  #drawer = find("#passage");
  #button = find("#passage-wide");
  #opener = null;
  #columns = 1;
  #wideChosen = null; // whether the reader wants it wide; null: as the texts need it

  /** @param {() => void} closed called when the drawer was closed. */
  constructor(closed) {
    find("#passage-close").addEventListener("click", () => this.close());
    this.#button.addEventListener("click", () => {
      this.#wideChosen = !this.#wide;
      this.#layOut();
    });
    this.#drawer.addEventListener("keydown", (event) => {
      // For a moment the focus stays in a drawer that is closed already.
      if (event.key !== "Escape" || !this.#drawer.open) return;
      event.preventDefault(); // it closes this, and leaves the timeline where it is
      this.close();
    });
    this.#drawer.addEventListener("close", () => {
      document.body.append(find("#toasts"));
      this.#updateInert();
      if (this.#opener?.isConnected) this.#opener.focus();
      closed();
    });
  }

  /** Open it; whether it was closed before. */
  open() {
    if (this.#drawer.open) return false;
    this.#opener = document.activeElement;
    // On a narrow screen the drawer is the whole page, and so it holds the focus too.
    if (NARROW.matches) {
      this.#drawer.showModal();
      this.#drawer.append(find("#toasts")); // which would lie beneath it
    } else {
      this.#drawer.show();
    }
    this.#layOut();
    find("#passage-title").focus();
    return true;
  }

  close() {
    if (this.#drawer.open) this.#drawer.close();
  }

  /** Give so many texts the room they need, unless the reader chose otherwise. */
  fitColumns(columns) {
    this.#columns = columns;
    this.#layOut();
  }

  get #wide() {
    return this.#wideChosen ?? this.#columns >= WIDE_FROM;
  }

  #layOut() {
    this.#drawer.toggleAttribute("data-wide", this.#wide);
    const label = this.#wide ? "Beside the curve" : "Over the whole page";
    this.#button.setAttribute("aria-label", label);
    this.#button.title = label;
    this.#button.setAttribute("aria-pressed", String(this.#wide));
    this.#updateInert();
  }

  /** What lies beneath the drawer can be neither seen nor reached with the keyboard. */
  #updateInert() {
    const beside = this.#drawer.open && !NARROW.matches;
    const card = this.#drawer.parentElement;
    for (const element of card.children) {
      if (element !== this.#drawer) element.inert = beside;
    }
    for (const element of card.parentElement.children) {
      if (element !== card) element.inert = beside && this.#wide;
    }
  }
}
