/** The loss curve: draws what the store holds, at most ten times a second and only when seen. */

import { lastUpdate } from "../curve.js";
import { find } from "../dom.js";
import { plotOf } from "../plot.js";
import { indexInView } from "../samples.js";
import { sketch } from "../sketch.js";
import { colours, onTheme } from "../theme.js";
import { glow } from "./glow.js";
import { Pointing } from "./pointing.js";

const BETWEEN_DRAWINGS_MS = 100;

const CONFIG = {
  displaylogo: false,
  displayModeBar: "hover",
  doubleClick: false,
  scrollZoom: true,
  modeBarButtons: [["zoomIn2d", "zoomOut2d", "toImage"]],
  toImageButtonOptions: { filename: "hurrah-loss", scale: 2 },
  showTips: false,
};

/** What the drawing is made of: another value of any of these is another drawing. */
const DRAWN = (state) => [
  state.curve,
  state.refining,
  state.detail,
  state.validation,
  state.samples,
  state.milestones,
  state.checkpoints,
  state.range,
  state.scale,
  state.corpora,
  indexInView(state),
];

export class Chart {
  #store;
  #frame = find("#chart");
  #plot = find("#chart-plot");
  #plotly = null;
  #load;
  #palette = colours();
  #size;
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
    this.#pointing = new Pointing(store, this.#frame, () => this.schedule());
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

  #measure() {
    this.#size = { width: this.#frame.clientWidth, height: this.#frame.clientHeight };
  }

  #draw() {
    this.#timer = null;
    const state = this.#store.get();
    const seen = document.visibilityState === "visible" && this.#size.width > 0;
    if (!state.run || !seen || this.#pointing.busy) return;
    // Before the curve's start is fine, a first sketch of it will do, but not the chart itself.
    if (this.#plotly && state.refining) return;
    this.#drawnAt = performance.now();
    const font = getComputedStyle(document.documentElement).fontFamily;
    const { data, layout, losses } = plotOf(state, this.#palette, this.#size, font);
    if (!this.#plotly) {
      sketch(find("#chart-sketch"), data, layout);
      this.#loadOnce();
      return;
    }
    const first = !this.#plot.classList.contains("js-plotly-plot");
    this.#plotly.react(this.#plot, data, layout, CONFIG);
    if (first) this.#listen();
    this.#frame.dataset.drawnUpdate = lastUpdate(state.curve);
    const drawn = { update: lastUpdate(state.curve), points: pointsOf(data) };
    this.#frame.dispatchEvent(new CustomEvent("drawn", { detail: drawn }));
    glow(state, this.#size, losses);
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

  #listen() {
    find("#chart-skeleton").remove();
    find("#chart-sketch").remove();
    this.#plot.on("plotly_relayout", (change) => {
      const from = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0];
      const to = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
      if (from === undefined || to === undefined) return;
      const log = this.#store.get().scale === "log";
      this.#zoom(log ? [10 ** from, 10 ** to] : [from, to]);
    });
    this.#plot.on("plotly_doubleclick", () => {
      this.#pointing.takeBack();
      this.#zoom(null);
    });
  }

  #zoom(range) {
    const clipped = range && [Math.max(range[0], 0), Math.max(range[1], range[0] + 1)];
    this.#store.dispatch({ type: "zoom", range: clipped });
    this.schedule();
  }
}

/** How many points the longest of the lines is drawn with. */
const pointsOf = (data) => Math.max(...data.map(({ x }) => x.length));
