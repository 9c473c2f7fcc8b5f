/** The smooth losses of the right network and of the one with the mistake: every update of both. */

import { MANY, narrowPlotPx, axis, baseLayout, tickFormat } from "../lib/plotly-theme.js";
import { find, textScaled } from "../lib/dom.js";
import { onPrint } from "../lib/print.js";
import { colours, onTheme } from "../lib/theme.js";

const MARGIN = {
  ...{ l: textScaled(44), r: textScaled(24), t: textScaled(26), b: textScaled(40) },
  pad: 0,
};
const CONFIG = { displayModeBar: false, staticPlot: true };
const AIR = 0.05; // above and below the curves, as a share of their height

/** @typedef {(number | null)[]} Losses by update, from 1; null: not finite. */

export class TrainingChart {
  #plot = find("#training-plot");
  /** @type {any} */
  #plotly = null;
  /** @type {{right: Losses, wrong: Losses}} */
  #curves = { right: [], wrong: [] };
  #updates = 1;
  #due = 0;

  /** @param {Promise<any>} plotlyLoaded */
  constructor(plotlyLoaded) {
    onTheme(() => this.#draw());
    onPrint(() => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
    plotlyLoaded.then((plotly) => {
      this.#plotly = plotly;
      this.#draw();
    });
  }

  /**
   * Show two curves, which may grow afterwards: then call this again.
   *
   * @param {{right: Losses, wrong: Losses}} curves
   * @param {number} updates the end of the axis.
   */
  show(curves, updates) {
    this.#curves = curves;
    this.#updates = updates;
    this.#due ||= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    this.#due = 0;
    const { offsetWidth: width, offsetHeight: height } = this.#plot;
    if (!this.#plotly || !width || !height) return;
    const palette = colours();
    const font = {
      family: getComputedStyle(this.#plot).fontFamily,
      size: textScaled(11.5),
      color: palette.soft,
    };
    const { right, wrong } = this.#curves;
    const updates = Array.from({ length: right.length }, (_, i) => i + 1);
    const data = [
      trace(updates, right, { color: palette.ink, width: 2 }),
      trace(updates, wrong, { color: palette.accent, width: 2.2, dash: "6px,3px" }),
    ];
    const frame = { width, height, updates: this.#updates, span: spanOf(right, wrong) };
    this.#plotly.react(this.#plot, data, layout(frame, palette, font), CONFIG);
    this.#plot.dataset.drawn = String(right.length);
  }
}

const trace = (x, y, look) => ({
  type: "scatter",
  mode: "lines",
  x,
  y,
  hoverinfo: "skip",
  line: { simplify: false, ...look },
});

/** The least and the greatest loss, with some air. @param {...Losses} curves */
function spanOf(...curves) {
  let [low, high] = [Infinity, -Infinity];
  for (const loss of curves.flat()) {
    if (loss === null) continue;
    low = Math.min(low, loss);
    high = Math.max(high, loss);
  }
  if (low > high) return [0, 100];
  const air = Math.max((high - low) * AIR, 0.5);
  return [low - air, high + air];
}

function layout({ width, height, updates, span }, palette, font) {
  const lines = { ...axis(palette, font), fixedrange: true };
  const short = updates >= MANY || width - MARGIN.l - MARGIN.r < narrowPlotPx();
  return {
    width,
    height,
    margin: MARGIN,
    ...baseLayout(font),
    xaxis: {
      ...lines,
      range: [0, updates],
      showgrid: false,
      nticks: short ? 5 : 9,
      tickformat: tickFormat(short),
      title: { text: "update", font, standoff: 6 },
    },
    yaxis: { ...lines, range: span, nticks: 6, tickformat: tickFormat(false) },
    annotations: [
      {
        text: "smooth loss, nats per sequence",
        showarrow: false,
        xref: "paper",
        yref: "paper",
        x: 0,
        y: 1,
        xanchor: "left",
        yanchor: "bottom",
        yshift: 4,
      },
    ],
  };
}
