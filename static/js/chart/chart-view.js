/**
 * The loss curve: draws what the store holds, at most ten times a second, only when seen, and only
 * what can be seen to have moved.
 */

import { lastUpdate } from "../curve/loss-curve.js";
import { find } from "../lib/dom.js";
import { drawnCurve, movement, pictureOf } from "../curve/scales.js";
import { plotOf } from "./plot.js";
import { sketch } from "./svg-preview.js";
import { colours, onTheme } from "../lib/theme.js";
import { glow } from "./glow.js";
import { Pointing } from "./hover.js";
import { SPOTTED, showSpots } from "./highlight-rings.js";

const BETWEEN_DRAWINGS_MS = 100;
const SEEN_PX = 0.5; // what moves by less is not drawn anew

// What can be done with the pointer is done in chart/gestures.js: Plotly only draws.
const CONFIG = { staticPlot: true, displayModeBar: false, showTips: false };

/** What the drawing is made of, but for the curve itself: another value is another drawing. */
const AROUND = (state) => [
  state.run?.state, // a run that stands is drawn to its last update
  ...[state.runId, state.refining, state.smoothed?.exact, state.detail, state.validation],
  ...[state.samples, state.milestones, state.checkpoints, state.corpora, state.smoothing],
  ...[state.range, state.scale, state.across, state.unit, state.lossScale],
];

export class Chart {
  /** How large the whole chart is, in pixels. */
  size;

  #store;
  #frame = find("#chart");
  #plot = find("#chart-plot");
  #plotly = null;
  #load;
  #palette = colours();
  #font = getComputedStyle(document.documentElement).fontFamily;
  #drawnAt = 0;
  #drawn = null; // the last drawing's picture, what was around the curve, and how many points
  #timer = null;
  #pointing;

  /**
   * @param {Object} store
   * @param {() => Promise<Object>} loadPlotly called once there is something to draw.
   */
  constructor(store, loadPlotly) {
    this.#store = store;
    this.#load = loadPlotly;
    this.#measure();
    this.#pointing = new Pointing(store, this.#frame, () => this.size);
    new ResizeObserver(() => {
      this.#measure();
      this.schedule();
    }).observe(this.#frame);
    document.addEventListener("visibilitychange", () => this.schedule());
    onTheme(() => {
      this.#palette = colours();
      this.schedule();
    });
    store.watch(
      (state) => [drawnCurve(state), ...AROUND(state)],
      () => this.schedule(),
    );
    store.watch(SPOTTED, () => this.#spot());
  }

  /**
   * Draw soon: after the next frame, but not before the last drawing is a tenth of a second old.
   *
   * After a frame and not within it, so that what else is laid out and painted in it does not add up
   * with the drawing to a wait that is felt; but the first sketch as soon as can be.
   */
  schedule() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#drawnAt + BETWEEN_DRAWINGS_MS - performance.now());
    const draw = () => (this.#drawn ? setTimeout(() => this.#draw()) : this.#draw());
    this.#timer = setTimeout(() => requestAnimationFrame(draw), wait);
  }

  /** The chart as it stands, as Plotly draws it on paper; null before there is anything to draw. */
  picture() {
    const state = this.#store.get();
    if (!this.#plotly || !state.run) return null;
    const palette = colours("light");
    return { ...this.#plotOf(state, palette), plotly: this.#plotly, colours: palette };
  }

  /** Look closer (`factor` below 1) or less closely, about where something points. */
  zoomBy(factor) {
    this.#pointing.zoomBy(factor);
  }

  #measure() {
    this.size = { width: this.#frame.clientWidth, height: this.#frame.clientHeight };
  }

  #plotOf(state, palette = this.#palette) {
    return plotOf(state, palette, this.size, this.#font);
  }

  #spot() {
    const state = this.#store.get();
    const seen = state.run && this.size.width > 0;
    if (this.#drawn && seen) showSpots(state, pictureOf(state, this.size));
  }

  #draw() {
    this.#timer = null;
    const state = this.#store.get();
    const seen = document.visibilityState === "visible" && this.size.width > 0;
    if (!state.run || !seen) return;
    // Before the curve's start is fine, a first sketch of it will do, but not the chart itself.
    if (this.#plotly && state.refining) return;
    this.#drawnAt = performance.now();
    const picture = pictureOf(state, this.size);
    const around = [...AROUND(state), this.size, this.#palette];
    if (!this.#stands(picture, around)) {
      const { data, layout } = this.#plotOf(state);
      if (!this.#plotly) {
        sketch(find("#chart-sketch"), data, layout);
        this.#loadOnce();
        return;
      }
      this.#plotly.react(this.#plot, data, layout, CONFIG);
      if (!this.#drawn) this.#putSketchAway();
      this.#drawn = { picture, around, points: pointsOf(data) };
    }
    const drawn = { update: lastUpdate(drawnCurve(state)), points: this.#drawn.points };
    this.#frame.dataset.drawnUpdate = drawn.update;
    this.#frame.dispatchEvent(new CustomEvent("drawn", { detail: drawn }));
    glow(state, this.size);
    this.#spot();
    this.#pointing.show();
  }

  /** Whether the last drawing still shows how things are, to within what can be seen. */
  #stands(picture, around) {
    if (!this.#drawn) return false;
    const same = this.#drawn.around.every((part, i) => Object.is(part, around[i]));
    return same && movement(this.#drawn.picture, picture) < SEEN_PX;
  }

  /** Read Plotly when the sketch is on the screen: nothing else happens for a good while then. */
  #loadOnce() {
    const load = this.#load;
    this.#load = null;
    if (!load) return;
    requestAnimationFrame(() =>
      setTimeout(async () => {
        this.#plotly = await load();
        this.schedule();
      }),
    );
  }

  #putSketchAway() {
    find("#chart-skeleton").remove();
    find("#chart-sketch").remove();
  }
}

/** How many points the longest of the lines is drawn with. */
const pointsOf = (data) => Math.max(...data.map(({ x }) => x.length));
