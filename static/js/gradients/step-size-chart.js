/** The chart of the error against the step size, the slider for the step, and the result. */

import { axis, baseLayout } from "../lib/plotly-theme.js";
import { passes, powerText, errorText } from "./relative-errors.js";
import { find, setText, textScaled } from "../lib/dom.js";
import { onPrint } from "../lib/print.js";
import { colours, onTheme } from "../lib/theme.js";

/** The step that the server uses by default. */
const BEST_STEP = 5e-3;
const BEST_EXPONENT = -2.3;
const PASSES_BELOW = 1e-6;
const LEAST_SHOWN = 1e-16;
const MARGIN = {
  ...{ l: textScaled(52), r: textScaled(14), t: textScaled(30), b: textScaled(40) },
  pad: 0,
};
const CONFIG = { displayModeBar: false, staticPlot: true };

// The position of each curve's label: at this step, on this side of the curve.
const LABELS = {
  textbook_difference: { text: "textbook difference", step: 1e-9, xshift: 8, yshift: 10 },
  central_difference: {
    text: "central difference<br>of sixth order",
    step: 1e-9,
    xanchor: "right",
    xshift: -12,
    yshift: -14,
  },
  complex_step: { text: "complex step", step: 1e-13, xshift: 0, yshift: -13 },
};

export class StepSizeChart {
  #slider = find("#check-step");
  #best = find("#check-step-best");
  #plot = find("#check-plot");
  #plotly = null;
  #curve = null;
  #point = null;

  /**
   * @param {Promise<any>} plotlyLoaded
   * @param {() => void} chosen called when another step is chosen.
   */
  constructor(plotlyLoaded, chosen) {
    this.#slider.addEventListener("input", () => this.#showStep());
    this.#slider.addEventListener("change", chosen);
    this.#best.addEventListener("click", () => {
      this.#slider.value = String(BEST_EXPONENT);
      this.#showStep();
      this.#slider.focus();
      chosen();
    });
    onTheme(() => this.#draw());
    onPrint(() => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(this.#plot);
    plotlyLoaded.then((plotly) => {
      this.#plotly = plotly;
      this.#draw();
    });
    this.#showStep();
  }

  /** The chosen step; null for the server's default. */
  get step() {
    const exponent = Number(this.#slider.value);
    return exponent === BEST_EXPONENT ? null : 10 ** exponent;
  }

  /** Show the curve of a cell, as the server measured it. */
  showCurve(curve) {
    this.#curve = curve;
    setText(find("#check-chart-words"), description(curve));
    this.#draw();
  }

  /** Show the result of the gradient check with this step. */
  showCheck(error, threshold, step) {
    this.#point = { step: step ?? BEST_STEP, error };
    const fine = passes(error, threshold);
    const at = `With a step of ${powerText(this.#point.step)}, the greatest error above is`;
    const [symbol, sign] = fine ? ["✓", "below"] : ["✗", "not below"];
    const says = `${symbol} ${at} ${errorText(error)}: ${sign} ${powerText(threshold)}.`;
    setText(find("#check-step-result"), says);
    this.#draw();
  }

  #showStep() {
    const step = this.step ?? BEST_STEP;
    setText(find("#check-step-value"), powerText(step));
    this.#slider.setAttribute("aria-valuetext", powerText(step));
    this.#best.disabled = this.step === null;
    this.#draw();
  }

  #draw() {
    const size = { width: this.#plot.clientWidth, height: this.#plot.clientHeight };
    if (!this.#plotly || !this.#curve || !size.width) return;
    const palette = colours();
    const font = {
      family: getComputedStyle(this.#plot).fontFamily,
      size: textScaled(11.5),
      color: palette.soft,
    };
    const data = [
      line(this.#curve, "complex_step", { color: palette.band, width: 5 }),
      line(this.#curve, "textbook_difference", {
        color: palette.soft,
        width: 1.6,
        dash: "5px,3px",
      }),
      line(this.#curve, "central_difference", { color: palette.ink, width: 2.2 }),
      ...this.#marker(palette),
    ];
    const chosen = this.step ?? BEST_STEP;
    this.#plotly.react(this.#plot, data, layout(this.#curve, chosen, size, palette, font), CONFIG);
    this.#plot.dataset.drawnStep = powerText(chosen);
  }

  #marker(palette) {
    if (!this.#point) return [];
    return [
      {
        type: "scatter",
        mode: "markers",
        x: [this.#point.step],
        y: [shown(this.#point.error)],
        marker: { size: 12, color: palette.card, line: { color: palette.accent, width: 3 } },
      },
    ];
  }
}

/** A logarithmic axis cannot show 0 or a value that is not finite. */
const shown = (error) => (error === null ? 1 : Math.max(error, LEAST_SHOWN));

const line = ({ steps, ...errors }, method, look) => ({
  type: "scatter",
  mode: "lines",
  x: steps,
  y: errors[method].map(shown),
  line: look,
});

function layout(curve, chosen, size, palette, font) {
  const powers = { ...axis(palette, font), type: "log", exponentformat: "e", fixedrange: true };
  const x = Math.log10(chosen);
  const left = x > -4;
  const short = size.height < textScaled(300);
  const above = { xref: "paper", yref: "paper", y: 1, yanchor: "bottom", yshift: 6 };
  return {
    ...size,
    margin: MARGIN,
    ...baseLayout(font),
    xaxis: {
      ...powers,
      range: [-15.2, -0.8],
      dtick: size.width < textScaled(500) ? 4 : 2,
      tick0: -16,
      showgrid: false,
      title: { text: "step", font, standoff: 6 },
    },
    yaxis: { ...powers, range: [-16.2, 0.6], dtick: short ? 4 : 2, tick0: -16 },
    shapes: [
      rule(
        { x0: chosen, x1: chosen, y0: 0, y1: 1, yref: "paper" },
        { color: palette.accent, width: 1.5 },
      ),
      rule(
        { x0: 0, x1: 1, xref: "paper", y0: PASSES_BELOW, y1: PASSES_BELOW },
        { color: palette.soft, width: 1, dash: "1.5px,4px" },
      ),
    ],
    annotations: [
      ...Object.entries(LABELS).map(([method, place]) => ({
        ...methodLabel(curve, method, place),
        bgcolor: palette.card,
      })),
      note("← too small: rounding error", { ...above, x: 0, xanchor: "left" }),
      note("too large: truncation error →", { ...above, x: 1, xanchor: "right" }),
      note(`passes below ${powerText(PASSES_BELOW)}`, {
        x: -15.1,
        y: Math.log10(PASSES_BELOW),
        xanchor: "left",
        yanchor: "top",
      }),
      note(`step ${powerText(chosen)}`, {
        x,
        y: -16,
        xanchor: left ? "right" : "left",
        yanchor: "bottom",
        xshift: left ? -5 : 5,
        font: { ...font, color: palette.accentInk },
      }),
    ],
  };
}

// On a logarithmic axis Plotly expects plain values for shapes, and logarithms for annotations.
const rule = (at, look) => ({ type: "line", layer: "below", line: look, ...at });
const note = (text, at) => ({ text, showarrow: false, ...at });

function methodLabel(curve, method, { step, ...place }) {
  const index = curve.steps.findIndex((value) => Math.abs(Math.log10(value / step)) < 0.1);
  const y = Math.log10(shown(curve[method][Math.max(index, 0)]));
  return note(place.text, { xanchor: "left", yanchor: "middle", ...place, x: Math.log10(step), y });
}

function description({ steps, ...methods }) {
  return Object.entries(LABELS)
    .map(([method, { text }]) => {
      const errors = methods[method].map(shown);
      const least = errors.reduce((a, b) => Math.min(a, b));
      const at = powerText(steps[errors.indexOf(least)]);
      return `${text.replace("<br>", " ")}: smallest error ${errorText(least)}, at step ${at}.`;
    })
    .join(" ");
}
