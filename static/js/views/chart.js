/** The loss curve: draws what the store holds, at most ten times a second and only when seen. */

import { lastUpdate } from "../curve.js";
import { find } from "../dom.js";
import { drawnCurve } from "../geometry.js";
import { plotOf } from "../plot.js";
import { indexInView } from "../samples.js";
import { sketch } from "../sketch.js";
import { colours, onTheme } from "../theme.js";
import { glow } from "./glow.js";
import { Pointing } from "./pointing.js";

const BETWEEN_DRAWINGS_MS = 100;

// What can be done with the pointer is done in gestures.js: Plotly only draws.
const CONFIG = { staticPlot: true, displayModeBar: false, showTips: false };

/** What the drawing is made of: another value of any of these is another drawing. */
const DRAWN = (state) => [
  ...[drawnCurve(state), state.refining, state.detail, state.validation],
  ...[state.samples, state.milestones, state.checkpoints, state.corpora],
  ...[state.range, state.scale, state.across, state.unit, state.lossScale],
  ...[indexInView(state), state.pinned, state.card, state.reading],
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
  #drawnAt = 0;
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
    store.watch(DRAWN, () => this.schedule());
  }

  /** Draw soon: with the next frame, but not before the last drawing is a tenth of a second old. */
  schedule() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#drawnAt + BETWEEN_DRAWINGS_MS - performance.now());
    this.#timer = setTimeout(() => requestAnimationFrame(() => this.#draw()), wait);
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
    const font = getComputedStyle(document.documentElement).fontFamily;
    return plotOf(state, palette, this.size, font);
  }

  #draw() {
    this.#timer = null;
    const state = this.#store.get();
    const seen = document.visibilityState === "visible" && this.size.width > 0;
    if (!state.run || !seen) return;
    // Before the curve's start is fine, a first sketch of it will do, but not the chart itself.
    if (this.#plotly && state.refining) return;
    this.#drawnAt = performance.now();
    const { data, layout } = this.#plotOf(state);
    if (!this.#plotly) {
      sketch(find("#chart-sketch"), data, layout);
      this.#loadOnce();
      return;
    }
    const first = !this.#plot.classList.contains("js-plotly-plot");
    this.#plotly.react(this.#plot, data, layout, CONFIG);
    if (first) this.#putSketchAway();
    const drawn = { update: lastUpdate(drawnCurve(state)), points: pointsOf(data) };
    this.#frame.dataset.drawnUpdate = drawn.update;
    this.#frame.dispatchEvent(new CustomEvent("drawn", { detail: drawn }));
    glow(state, this.size);
    this.#pointing.show();
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
