/**
 * The loss curve: draws what the store holds, at most ten times a second, only when seen, and only
 * what can be seen to have moved.
 */

import { lastUpdate } from "../curve/loss-curve.js";
import { find } from "../lib/dom.js";
import { drawnCurve, maxShift, scalesOf } from "../curve/scales.js";
import { plotOf } from "./plot.js";
import { drawPreview } from "./svg-preview.js";
import { colours, onTheme } from "../lib/theme.js";
import { glow } from "./glow.js";
import { Hover } from "./hover.js";
import { ringInputs, showRings } from "./highlight-rings.js";

const DRAW_EVERY_MS = 100;
const VISIBLE_PX = 0.5; // what moves by less is not drawn anew

// What can be done with the pointer is done in chart/gestures.js: Plotly only draws.
const CONFIG = { staticPlot: true, displayModeBar: false, showTips: false };

/** What the drawing is made of, but for the curve itself: another value is another drawing. */
const drawInputs = (state) => [
  state.run?.state, // a run that stands is drawn to its last update
  ...[state.runId, state.refining, state.smoothed?.exact, state.detail, state.validation],
  ...[state.samples, state.milestones, state.checkpoints, state.corpora, state.smoothing],
  ...[state.range, state.scale, state.xAxis, state.unit, state.lossScale],
];

export class ChartView {
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
  #hover;

  /**
   * @param {Object} store
   * @param {() => Promise<Object>} loadPlotly called once there is something to draw.
   */
  constructor(store, loadPlotly) {
    this.#store = store;
    this.#load = loadPlotly;
    this.#measure();
    this.#hover = new Hover(store, this.#frame, () => this.size);
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
      (state) => [drawnCurve(state), ...drawInputs(state)],
      () => this.schedule(),
    );
    store.watch(ringInputs, () => this.#showRings());
  }

  /**
   * Draw soon: after the next frame, but not before the last drawing is a tenth of a second old.
   *
   * After a frame and not within it, so that what else is laid out and painted in it does not add up
   * with the drawing to a wait that is felt; but the first sketch as soon as can be.
   */
  schedule() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#drawnAt + DRAW_EVERY_MS - performance.now());
    const draw = () => (this.#drawn ? setTimeout(() => this.#draw()) : this.#draw());
    this.#timer = setTimeout(() => requestAnimationFrame(draw), wait);
  }

  /** The chart as it stands, as Plotly draws it on paper; null before there is anything to draw. */
  figure() {
    const state = this.#store.get();
    if (!this.#plotly || !state.run) return null;
    const palette = colours("light");
    return { ...this.#plotOf(state, palette), plotly: this.#plotly, colours: palette };
  }

  /** Look closer (`factor` below 1) or less closely, about where something points. */
  zoomBy(factor) {
    this.#hover.zoomBy(factor);
  }

  #measure() {
    this.size = { width: this.#frame.clientWidth, height: this.#frame.clientHeight };
  }

  #plotOf(state, palette = this.#palette) {
    return plotOf(state, palette, this.size, this.#font);
  }

  #showRings() {
    const state = this.#store.get();
    const seen = state.run && this.size.width > 0;
    if (this.#drawn && seen) showRings(state, scalesOf(state, this.size));
  }

  #draw() {
    this.#timer = null;
    const state = this.#store.get();
    const seen = document.visibilityState === "visible" && this.size.width > 0;
    if (!state.run || !seen) return;
    // Before the curve's start is fine, a first sketch of it will do, but not the chart itself.
    if (this.#plotly && state.refining) return;
    this.#drawnAt = performance.now();
    const scales = scalesOf(state, this.size);
    const inputs = [...drawInputs(state), this.size, this.#palette];
    if (!this.#isCurrent(scales, inputs)) {
      const { data, layout } = this.#plotOf(state);
      if (!this.#plotly) {
        drawPreview(find("#chart-sketch"), data, layout);
        this.#loadOnce();
        return;
      }
      this.#plotly.react(this.#plot, data, layout, CONFIG);
      if (!this.#drawn) this.#removePreview();
      this.#drawn = { scales, inputs, points: pointsOf(data) };
    }
    const drawn = { update: lastUpdate(drawnCurve(state)), points: this.#drawn.points };
    this.#frame.dataset.drawnUpdate = drawn.update;
    this.#frame.dispatchEvent(new CustomEvent("drawn", { detail: drawn }));
    glow(state, this.size);
    this.#showRings();
    this.#hover.show();
  }

  /** Whether the last drawing still shows how things are, to within what can be seen. */
  #isCurrent(scales, inputs) {
    if (!this.#drawn) return false;
    const same = this.#drawn.inputs.every((part, i) => Object.is(part, inputs[i]));
    return same && maxShift(this.#drawn.scales, scales) < VISIBLE_PX;
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

  #removePreview() {
    find("#chart-skeleton").remove();
    find("#chart-sketch").remove();
  }
}

/** How many points the longest of the lines is drawn with. */
const pointsOf = (data) => Math.max(...data.map(({ x }) => x.length));
