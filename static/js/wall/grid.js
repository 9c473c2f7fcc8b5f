/**
 * The grid of cards. It draws only the cards on the screen, a few in each frame, and sorts them
 * anew only while nobody points at them or has the focus in them.
 */

import { find, focusedElement, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { memoize } from "../lib/memoize.js";
import { distinctions } from "../run-lists/labels.js";
import { PAGE_RUNS } from "../run-lists/pages.js";
import { isOutdated } from "../ui/connection.js";
import { Card } from "./card.js";
import { isUnsorted } from "./reducers.js";

const RESORT_MS = 4000;
const POINTER_RESTS_MS = 10_000; // then a pointer that lies on the wall does not hold it any more
const MARGIN = "300px"; // cards so near to the screen are drawn, too
const DRAWING_MS = 6; // of each frame
/** By key, the direction on the screen. @type {Record<string, [number, number]>} */
const DIRECTIONS = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

export class WallGrid {
  #store;
  #list = find("#wall-grid");
  #more = find("#wall-more-button");
  #resort = find("#wall-resort");
  /** @type {Map<string, Card>} */
  #cards = new Map(); // by id
  #pointed = -Infinity; // when the pointer last moved over the grid, and where it was
  #x = NaN;
  #y = NaN;
  #reachable = "";
  #loadCurves;
  #known = distinctions([]);
  #frame = 0;
  #observer = new IntersectionObserver((entries) => this.#seen(entries), { rootMargin: MARGIN });

  /**
   * @param {Store<WallState>} store
   * @param {(visible: string[], others: string[]) => void} loadCurves see curve-loader.js.
   */
  constructor(store, loadCurves) {
    this.#store = store;
    this.#loadCurves = loadCurves;
    this.#list.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      // Browsers send an event, too, when the content moves below a pointer that lies still.
      if (event.screenX === this.#x && event.screenY === this.#y) return;
      [this.#x, this.#y] = [event.screenX, event.screenY];
      this.#pointed = performance.now();
    });
    this.#list.addEventListener("pointerleave", () => (this.#pointed = -Infinity));
    this.#list.addEventListener("focusin", (/** @type {FocusEvent} */ { target }) =>
      this.#reach(/** @type {HTMLElement} */ (target).closest("li")?.dataset.run ?? ""),
    );
    this.#list.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) =>
      this.#move(event),
    );
    this.#more.addEventListener("click", () => this.#showMore());
    this.#resort.addEventListener("click", () => this.resort());
    setInterval(() => this.#sortCalmly(), RESORT_MS);
    store.watch(
      (state) => [state.order, state.shown],
      () => this.#place(),
    );
    store.watch(
      (state) => [state.runs, state.range, isOutdated({ ...state, run: state.runs })],
      () => this.#drawSoon(),
    );
  }

  /** Put the cards in order now. */
  resort() {
    this.#resort.hidden = true;
    this.#store.dispatch({ type: "resort" });
  }

  #sortCalmly() {
    const held =
      this.#list.contains(focusedElement()) ||
      performance.now() - this.#pointed < POINTER_RESTS_MS;
    const unsorted = isUnsorted(this.#store.get());
    this.#known = this.#distinctions(this.#store.get());
    this.#resort.hidden = !(unsorted && held);
    if (!held) this.#store.dispatch({ type: "resort" });
  }

  /** Put the elements of the cards in the order of the state. */
  #place() {
    const { order, shown } = this.#store.get();
    this.#known = this.#distinctions(this.#store.get());
    const ids = order.slice(0, shown);
    const items = ids.map((id) => this.#cardOf(id).element);
    const present = new Set(ids);
    for (const [id, card] of this.#cards) {
      if (present.has(id)) continue;
      this.#observer.unobserve(card.element);
      this.#cards.delete(id);
    }
    setChildren(this.#list, items);
    if (!present.has(this.#reachable)) this.#reach(ids[0] ?? "");
    const left = order.length - ids.length;
    find("#wall-more").hidden = left <= 0;
    const more = format.count(Math.min(left, PAGE_RUNS));
    setText(this.#more, `Show ${more} more of ${format.count(order.length)}`);
    this.#resort.hidden = true;
    this.#drawSoon();
  }

  #showMore() {
    const first = this.#list.children.length;
    this.#store.dispatch({ type: "more" });
    this.#cards.get(this.#list.children[first]?.dataset.run)?.focus();
  }

  /** @param {string} id */
  #cardOf(id) {
    let card = this.#cards.get(id);
    if (!card) {
      card = new Card(id);
      this.#cards.set(id, card);
      this.#observer.observe(card.element);
    }
    return card;
  }

  /** @param {IntersectionObserverEntry[]} entries */
  #seen(entries) {
    for (const { target, isIntersecting } of entries) {
      const card = this.#cards.get(/** @type {HTMLElement} */ (target).dataset.run ?? "");
      if (card) card.visible = isIntersecting;
    }
    this.#drawSoon();
  }

  /** What tells the runs apart. */
  #distinctions = memoize(
    ({ runs }) => [runs],
    (/** @type {WallState} */ { runs }) => distinctions(Object.values(runs ?? {})),
  );

  #drawSoon() {
    this.#frame ||= requestAnimationFrame(() => this.#draw());
  }

  /** Draw the cards that show something old, until the time of a frame is over. */
  #draw() {
    this.#frame = 0;
    const state = this.#store.get();
    const { runs, range } = state;
    if (!runs) return;
    const outdated = isOutdated({ ...state, run: runs });
    const until = performance.now() + DRAWING_MS;
    const ids = [...this.#cards.keys()];
    const isVisible = (/** @type {string} */ id) => this.#cards.get(id)?.visible;
    this.#loadCurves(ids.filter(isVisible), ids);
    for (const [id, card] of this.#cards) {
      // One that is not on the screen is drawn once, for those who read the page otherwise.
      if (!runs[id] || (!card.visible && card.drawn.length)) continue;
      const more = this.#known.get(id)?.more ?? "";
      const values = [runs[id], range, outdated, more];
      if (values.every((value, i) => value === card.drawn[i])) continue;
      if (performance.now() > until) {
        this.#drawSoon();
        return;
      }
      card.draw(runs[id], range, outdated, more);
    }
  }

  // --- The keyboard ---

  /** Make a card the one that Tab reaches. @param {string} id */
  #reach(id) {
    const [before, now] = [this.#cards.get(this.#reachable), this.#cards.get(id)];
    if (before) before.reachable = false;
    if (now) now.reachable = true;
    this.#reachable = id;
  }

  /** @param {KeyboardEvent} event */
  #move(event) {
    const items = [...this.#list.children];
    const at = items.findIndex((item) => item.dataset.run === this.#reachable);
    const to = at < 0 ? -1 : this.#targetOf(event.key, items, at);
    if (to < 0 || to === at || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.#cards.get(items[to].dataset.run)?.focus();
  }

  /**
   * The index of the card that a key leads to, -1 if it leads to none.
   *
   * @param {string} key
   * @param {HTMLElement[]} items
   * @param {number} at
   */
  #targetOf(key, items, at) {
    if (key === "Home") return 0;
    if (key === "End") return items.length - 1;
    const direction = DIRECTIONS[key];
    if (!direction) return -1;
    const top = items[0].offsetTop;
    const next = items.findIndex((item) => item.offsetTop > top);
    const columns = next < 0 ? items.length : next;
    const to = at + direction[0] + direction[1] * columns;
    return to >= 0 && to < items.length ? to : -1;
  }
}
