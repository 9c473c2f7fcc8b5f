/** The drawer with the passage: beside the curve, over the page, or as the whole page. */

import { find } from "../lib/dom.js";

const NARROW = matchMedia("(width < 53.75em)");
const WIDE_FROM = 3; // this many texts side by side need the whole width

export class PassageDrawer {
  #drawer = find("#passage");
  #button = find("#passage-wide");
  #opener = null;
  #columns = 1;
  #wideChosen = null; // the user's choice; null: depends on the texts

  /** @param {() => void} closed called when the drawer was closed. */
  constructor(closed) {
    find("#passage-close").addEventListener("click", () => this.close());
    this.#button.addEventListener("click", () => {
      this.#wideChosen = !this.#wide;
      this.#layOut();
    });
    this.#drawer.addEventListener("keydown", (event) => {
      // The focus stays in a closed drawer for a moment.
      if (event.key !== "Escape" || !this.#drawer.open) return;
      event.preventDefault(); // it must not also move the timeline
      this.close();
    });
    this.#drawer.addEventListener("close", () => {
      document.body.append(find("#toasts"));
      this.#updateInert();
      if (this.#opener?.isConnected) this.#opener.focus();
      closed();
    });
  }

  /**
   * Open the drawer.
   *
   * @returns {boolean} whether it was closed before.
   */
  open() {
    if (this.#drawer.open) return false;
    this.#opener = document.activeElement;
    // On a narrow screen the drawer covers the page, so it must contain the focus.
    if (NARROW.matches) {
      this.#drawer.showModal();
      this.#drawer.append(find("#toasts")); // they would be below it
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

  /** Adjust the width to the number of texts, unless the user has chosen one. */
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

  /** Make the elements below the drawer inert. */
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
