/**
 * The loss curve. It is drawn at most ten times a second, only when visible, and only if something
 * moved visibly.
 */

import { lastUpdate } from "../curve/loss-curve.js";
import { find } from "../lib/dom.js";
import { drawnCurve, maxShift, scalesOf } from "../curve/scales.js";
import { plotOf } from "./plot.js";
import { drawPreview } from "./svg-preview.js";
import { onPrint } from "../lib/print.js";
import { colours, onTheme } from "../lib/theme.js";
import { glow } from "./glow.js";
import { showLegend } from "../guide/legend.js";
import { marksOf } from "./marks.js";
import { Hover } from "./hover.js";
import { ringInputs, showRings } from "./highlight-rings.js";

const DRAW_EVERY_MS = 100;
const VISIBLE_PX = 0.5; // smaller movements are not drawn

// chart/gestures.js handles the pointer; Plotly only draws.
const CONFIG = { staticPlot: true, displayModeBar: false, showTips: false };

/** What the drawing depends on apart from the curve itself. */
const drawInputs = (state) => [
  state.run?.state, // a run that is not training is drawn up to its last update
  ...[state.runId, state.refining, state.smoothed?.exact, state.detail, state.validation],
  ...[state.samples, state.milestones, state.checkpoints, state.corpora, state.smoothing],
  ...[state.ownLosses, state.groupLoss, state.seeds],
  ...[state.range, state.scale, state.xAxis, state.unit, state.lossScale],
];

export class ChartView {
  /** The size of the whole chart in pixels. */
  size;

  #store;
  #frame = find("#chart");
  #plot = find("#chart-plot");
  #plotly = null;
  #load;
  #palette = colours();
  #font = getComputedStyle(document.documentElement).fontFamily;
  #drawnAt = 0;
  #drawn = null; // of the last drawing: its scales, its inputs, and the number of points
  #timer = null;
  #hover;

  /**
   * @param {WatchStore} store
   * @param {() => Promise<any>} loadPlotly called when there is something to draw.
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
    onPrint(() => {
      this.#palette = colours();
      this.#measure();
      this.#draw();
    });
    store.watch(
      (state) => [drawnCurve(state), ...drawInputs(state)],
      () => this.schedule(),
    );
    store.watch(ringInputs, () => this.#showRings());
    store.watch(
      ({ hovered }) => [hovered],
      () => this.#drawn && this.#hover.follow(),
    );
  }

  /**
   * Draw soon: after the next frame, and at least a tenth of a second after the last drawing.
   *
   * Drawing after a frame instead of within it keeps layout, painting and drawing from adding up to
   * a noticeable delay. The first preview is drawn as soon as possible.
   */
  schedule() {
    if (this.#timer !== null) return;
    const wait = Math.max(0, this.#drawnAt + DRAW_EVERY_MS - performance.now());
    const draw = () => (this.#drawn ? setTimeout(() => this.#draw()) : this.#draw());
    this.#timer = setTimeout(() => requestAnimationFrame(draw), wait);
  }

  /** The figure as Plotly draws it in the light theme; null before there is anything to draw. */
  figure() {
    const state = this.#store.get();
    if (!this.#plotly || !state.run) return null;
    const palette = colours("light");
    return { ...this.#plotOf(state, palette), plotly: this.#plotly, colours: palette };
  }

  /** Zoom in (`factor` below 1) or out around the pointer. */
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
    clearTimeout(this.#timer);
    this.#timer = null;
    const state = this.#store.get();
    const seen = document.visibilityState === "visible" && this.size.width > 0;
    if (!state.run || !seen) return;
    // The preview may show a coarse start of the curve; the chart waits for the finer points.
    if (this.#plotly && state.refining) return;
    this.#drawnAt = performance.now();
    const scales = scalesOf(state, this.size);
    const inputs = [...drawInputs(state), this.size, this.#palette];
    if (!this.#isCurrent(scales, inputs)) {
      const { data, layout } = this.#plotOf(state);
      if (!this.#plotly) {
        drawPreview(find("#chart-sketch"), data, layout);
        showLegend(state, scales, marksOf(state));
        this.#loadOnce();
        return;
      }
      this.#plotly.react(this.#plot, data, layout, CONFIG);
      if (!this.#drawn) this.#removePreview();
      showLegend(state, scales, marksOf(state));
      this.#drawn = { scales, inputs, points: pointsOf(data) };
    }
    const drawn = { update: lastUpdate(drawnCurve(state)), points: this.#drawn.points };
    this.#frame.dataset.drawnUpdate = drawn.update;
    this.#frame.dispatchEvent(new CustomEvent("drawn", { detail: drawn }));
    glow(state, this.size);
    this.#showRings();
    this.#hover.show();
  }

  /** Whether the last drawing is still correct, to within what is visible. */
  #isCurrent(scales, inputs) {
    if (!this.#drawn) return false;
    const same = this.#drawn.inputs.every((part, i) => Object.is(part, inputs[i]));
    return same && maxShift(this.#drawn.scales, scales) < VISIBLE_PX;
  }

  /** Load Plotly after the preview is on the screen, since evaluating it blocks the page. */
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

/** The number of points of the longest line. */
const pointsOf = (data) => Math.max(...data.map(({ x }) => x.length));
