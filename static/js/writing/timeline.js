/** The timeline: a slider over the samples, a play button, and a button to return to live. */

import { find, svg, textScaled } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { hurrahLabel } from "../state/hurrah-label.js";
import { indexInView, nearestWithText } from "../state/samples.js";

const PLAY_MS = 2500;
const THUMB_PX = textScaled(18);

export class Timeline {
  #store;
  #slider = find("#timeline");
  #dots = find("#timeline-dots");
  #live = find("#timeline-live");
  #play = find("#timeline-play");
  #timer = null;

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    this.#slider.addEventListener("input", () => this.goTo(Number(this.#slider.value)));
    this.#live.addEventListener("click", () => this.goTo(Infinity));
    this.#play.addEventListener("click", () =>
      this.#timer === null ? this.#start() : this.#stop(),
    );
    store.watch(
      (state) => [state.samples, indexInView(state), state.pinned, state.hovered],
      (samples, index, pinned, hovered) => this.#show(samples, index, pinned ?? hovered),
    );
    store.watch(
      (state) => [state.samples],
      (samples) => drawDots(this.#dots, samples),
    );
    const redraw = () => drawDots(this.#dots, this.#store.get().samples);
    new ResizeObserver(redraw).observe(this.#dots.parentElement);
  }

  /** Move by a number of samples; backwards if it is negative. */
  move(by) {
    this.goTo(indexInView(this.#store.get()) + by);
  }

  /**
   * Pin the sample at this index, or the next one in the same direction that has the text of the
   * current mode; the newest sample is live.
   */
  goTo(index) {
    this.#stop();
    this.#pin(index);
  }

  /** Pin one of the stored samples. */
  selectSample(sample) {
    this.goTo(this.#store.get().samples.indexOf(sample));
  }

  #pin(index) {
    const state = this.#store.get();
    const step = index < indexInView(state) ? -1 : 1;
    const found = nearestWithText(state, Math.max(index, 0), step);
    const sample = state.samples[Math.max(found, 0)];
    const newest = found >= state.samples.length - 1;
    this.#store.dispatch({ type: "pin", update: newest ? null : sample.update });
  }

  #start() {
    if (this.#store.get().pinned === null) this.#pin(0);
    this.#timer = setInterval(() => {
      this.#pin(indexInView(this.#store.get()) + 1);
      if (this.#store.get().pinned === null) this.#stop();
    }, PLAY_MS);
    this.#showPlaying();
  }

  #stop() {
    clearInterval(this.#timer);
    this.#timer = null;
    this.#showPlaying();
  }

  #showPlaying() {
    const playing = this.#timer !== null;
    find("use", this.#play).setAttribute("href", playing ? "#icon-pause" : "#icon-play");
    const words = playing ? "Stop playing" : "Play the samples one by one";
    this.#play.setAttribute("aria-label", words);
  }

  #show(samples, index, chosen) {
    const sample = samples[index];
    const hurrah = sample?.hurrahs?.length ? `, ${hurrahLabel(sample.hurrahs, sample.update)}` : "";
    const words = sample ? `update ${format.count(sample.update)}${hurrah}` : "no samples yet";
    this.#slider.max = String(Math.max(samples.length - 1, 0));
    this.#slider.value = String(Math.max(index, 0));
    this.#slider.disabled = samples.length < 2;
    this.#play.disabled = samples.length < 2;
    this.#slider.setAttribute("aria-valuetext", words);
    this.#live.setAttribute("aria-pressed", String(chosen === null));
  }
}

function drawDots(dots, samples) {
  const { clientWidth: width, clientHeight: height } = dots.parentElement;
  const y = height / 2;
  const step = (width - THUMB_PX) / Math.max(samples.length - 1, 1);
  const radius = Math.max(1.2, Math.min(4, step / 3.2));
  dots.replaceChildren(
    svg("line", { x1: THUMB_PX / 2, x2: width - THUMB_PX / 2, y1: y, y2: y }),
    ...samples.map((sample, i) =>
      svg("circle", {
        cx: THUMB_PX / 2 + i * step,
        cy: y,
        r: sample.hurrahs?.length ? Math.max(radius, 2.5) + 1 : radius, // larger
        class: sample.hurrahs?.length ? "has-hurrah" : "",
      }),
    ),
  );
}
