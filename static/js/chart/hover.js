/** Pointing at the curve: what was the loss there, what is marked, what was written then? */

import { indexAt, smoothAt } from "../curve/loss-curve.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { MARGIN, markedCurve, pictureOf } from "../curve/scales.js";
import { listed, marksNear, marksOf, placeWords } from "./markers.js";
import { OWN } from "../curve/smoothing.js";
import { around, rangeOf } from "../curve/zoom.js";
import { Gestures } from "./gestures.js";

const NEAR_SAMPLE_PX = 16;
const MARK_PX = 10; // as near as this to a mark is on it
const NEAR_PX = 2; // a spike is as narrow as a line
const TWICE_MS = 600; // two presses within it may be a double one

export class Pointing {
  #store;
  #frame;
  #sizeOf;
  #at = null; // where something points, in pixels of the plot
  #gestures;
  #before = null; // what the last press left
  #pressedAt = -Infinity;

  /**
   * @param {Object} store
   * @param {HTMLElement} frame what holds the chart.
   * @param {() => {width: number, height: number}} sizeOf the whole chart, in pixels.
   */
  constructor(store, frame, sizeOf) {
    this.#store = store;
    this.#frame = frame;
    this.#sizeOf = sizeOf;
    this.#gestures = new Gestures(frame, find("#chart-overlay"), {
      picture: () => this.#picture(),
      zoom: (window, picture) => this.#zoom(rangeOf(store.get(), picture, window)),
      press: (place) => this.#press(place),
      back: () => this.#back(),
    });
    frame.addEventListener("pointermove", (event) => this.#move(event));
    frame.addEventListener("pointerleave", () => this.#point(null));
  }

  /** Bring the crosshair and the words about what is there up to date. */
  show() {
    const state = this.#store.get();
    const picture = this.#picture();
    const crosshair = find("#crosshair");
    const known = this.#at !== null && picture.curve.update.length > 0;
    crosshair.hidden = !known;
    setText(find("#chart-readout"), known ? this.#reading(state, picture) : atRest(state, picture));
    if (known) crosshair.style.transform = `translateX(${MARGIN.l + this.#at.x}px)`;
    showMarks(known ? this.#marks(state, picture) : [], picture, state);
  }

  /** Show `factor` times as much, about what is pointed at, else pinned, else the middle. */
  zoomBy(factor) {
    const state = this.#store.get();
    const picture = this.#picture();
    const { width } = picture;
    const pinned = state.pinned === null ? -1 : picture.updateToPixel(Math.max(state.pinned, 1));
    const middle = pinned >= 0 && pinned <= width ? pinned : width / 2;
    const window = around(this.#at?.x ?? middle, factor, width);
    this.#zoom(rangeOf(state, picture, window));
  }

  #picture() {
    return pictureOf(this.#store.get(), this.#sizeOf());
  }

  #reading(state, picture) {
    const { curve, unit, across } = picture;
    const i = indexAt(curve, Math.round(picture.pixelToUpdate(this.#at.x)));
    const figure = (loss) => format.rounded(unit.of(loss), unit.digits);
    const place = placeWords(across, curve.update[i]);
    const words = [
      `update ${format.count(curve.update[i])}${place && ` (${place})`}: ` +
        `${smoothWords(state)} ${figure(curve.smooth[i])}`,
      `loss ${figure(curve.low[i])} to ${figure(curve.high[i])}`,
    ];
    return words.join(", ");
  }

  /** The marks that are pointed at; samples only from close by, since they are everywhere. */
  #marks(state, picture) {
    const { x, y } = this.#at;
    const curve = markedCurve(state);
    return marksNear(marksOf(state), picture.updateToPixel, x).filter(({ kind, update }) => {
      const loss = smoothAt(curve, update);
      if (kind !== "sample" || loss === null) return true;
      return Math.abs(picture.lossToPixel(loss) - y) < NEAR_SAMPLE_PX;
    });
  }

  #move(event) {
    if (this.#gestures.busy) return;
    const place = this.#gestures.inPlot(event);
    const { width, height } = this.#picture();
    const inside = place && place.x >= 0 && place.x <= width && place.y <= height;
    this.#point(inside && this.#store.get().run ? place : null);
  }

  #point(place) {
    this.#at = place;
    const update = place && Math.max(Math.round(this.#picture().pixelToUpdate(place.x)), 0);
    this.#store.dispatch({ type: "point", update });
    this.show();
  }

  /** Stay with what is pressed: a mark, else what was read at the greatest loss drawn there. */
  #press({ x, y }) {
    const state = this.#store.get();
    if (!state.run?.update) return;
    const now = performance.now();
    const twice = now - this.#pressedAt < TWICE_MS;
    this.#pressedAt = now;
    if (!twice) this.#before = { pinned: state.pinned, card: state.card };
    const picture = this.#picture();
    const mark = this.#markAt({ x, y }, state, picture);
    if (mark) {
      // The mark of a hurrah opens the text that holds its word.
      const asWritten = mark.kind === "hurrah";
      this.#store.dispatch({ type: "pin", update: mark.update, asWritten });
      if (asWritten) this.#store.dispatch({ type: "card", card: "writing" });
      return;
    }
    const made = (update) => Math.min(Math.max(update, 1), state.run.update);
    const from = made(Math.floor(picture.pixelToUpdate(x - NEAR_PX)));
    const to = made(Math.ceil(picture.pixelToUpdate(x + NEAR_PX)));
    this.#store.dispatch({ type: "seek", from, to });
  }

  /** The mark that is pressed, undefined for none; samples are for the timeline. */
  #markAt({ x, y }, state, picture) {
    const curve = markedCurve(state);
    return marksNear(marksOf(state), picture.updateToPixel, x).find(({ kind, update }) => {
      const loss = smoothAt(curve, update);
      return kind !== "sample" && loss !== null && Math.abs(picture.lossToPixel(loss) - y) < MARK_PX;
    });
  }

  /** Two presses go back to all of the curve; what the first of them opened was not meant. */
  #back() {
    this.#zoom(null);
    if (!this.#before) return;
    this.#store.dispatch({ type: "pin", update: this.#before.pinned });
    this.#store.dispatch({ type: "card", card: this.#before.card });
  }

  #zoom(range) {
    this.#store.dispatch({ type: "zoom", range });
    // What is pointed at is another update now; after a drag the pointer is elsewhere, too.
    this.#point(this.#gestures.busy ? null : this.#at);
  }
}

const smoothWords = ({ smoothing }) => (smoothing === "0" ? "last loss" : "smooth loss");

/** What the axes show, said where the readout stands while nothing is pointed at. */
function atRest({ smoothing }, { unit, across }) {
  const loss = unit.name === "perplexity" ? "perplexity" : `loss, in ${unit.words}`;
  const over = across.name === "updates" ? "" : `, over ${across.words}`;
  const how = smoothing === "0" ? ", not smoothed" : `, smoothed by ${smoothing}`;
  return `${loss}${over}${smoothing === OWN ? "" : how}`;
}

/** Tell what the marks are, beside the first of them. */
function showMarks(marks, picture, state) {
  const words = find("#chart-mark");
  words.hidden = !marks.length;
  if (!marks.length) return;
  const lines = listed(marks);
  if (words.dataset.lines !== lines.join("\n")) {
    words.replaceChildren(...lines.map((text) => el("span", { text })));
    words.dataset.lines = lines.join("\n");
  }
  const x = picture.updateToPixel(Math.max(marks[0].update, 1));
  const y = picture.lossToPixel(smoothAt(markedCurve(state), marks[0].update) ?? 0);
  const left = x > picture.width / 2;
  words.style.translate = `${MARGIN.l + x + (left ? -14 : 14)}px ${MARGIN.t + y - 16}px`;
  words.dataset.side = left ? "left" : "right";
}
