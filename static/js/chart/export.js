/** The chart for a file: on paper, with a title, its axes named; and as a table. Pure functions. */

import { escapeLabel } from "../lib/plotly-theme.js";
import { MARGIN } from "../curve/scales.js";
import * as format from "../lib/format.js";
import { DEFAULT_SMOOTHING } from "../curve/smoothing.js";

/** A picture's size in pixels, before it is scaled. */
export const SIZE = { width: 1000, height: 620 };

const TITLE_PX = 18;
const EXTRA_MARGIN = { l: 26, r: 20, t: 58, b: 24 };

/**
 * The figure that Plotly is to draw into a file.
 *
 * @param {Object} state
 * @param {{data: Object[], layout: Object, colours: Object}} figure as the page shows it.
 */
export function exportFigure(state, { data, layout, colours }) {
  const { unit, xAxis, smoothing } = labels(state);
  const { run } = state;
  const about = [format.networkSummary(run.spec), `${format.count(run.update)} updates`, smoothing];
  const axis = (text) => ({ text, standoff: 8, font: { ...layout.font, size: 13 } });
  return {
    data,
    layout: {
      ...layout,
      ...SIZE,
      margin: Object.fromEntries(
        Object.entries(MARGIN).map(([side, size]) => [side, size + (EXTRA_MARGIN[side] ?? 0)]),
      ),
      paper_bgcolor: colours.paper,
      plot_bgcolor: colours.paper,
      title: {
        text: escapeLabel(run.name),
        subtitle: {
          text: escapeLabel(about.filter(Boolean).join(", ")),
          font: { ...layout.font, size: 13 },
        },
        font: { ...layout.font, color: colours.ink, size: TITLE_PX },
        x: 0.5,
        xref: "paper",
        y: 0.96,
        yanchor: "top",
      },
      xaxis: { ...layout.xaxis, title: axis(xAxis) },
      yaxis: { ...layout.yaxis, title: axis(unit) },
    },
    config: { staticPlot: true },
  };
}

function labels({ xAxis, unit, smoothing }) {
  const units = {
    sequence: "loss, nats a sequence",
    character: "loss, nats a character",
    bits: "loss, bits a character",
    perplexity: "perplexity",
  };
  return {
    unit: units[unit],
    xAxis: xAxis === "seconds" ? "seconds of training" : xAxis,
    smoothing:
      smoothing === DEFAULT_SMOOTHING ? "" : smoothing === "0" ? "not smoothed" : `smoothed by ${smoothing}`,
  };
}

/**
 * What is shown, as a table: a row a point, losses in the unit that is shown.
 *
 * @param {Object} state
 * @param {Object} picture see curve/scales.js.
 * @returns {string} CSV.
 */
export function csvOf(state, { curve, unit }) {
  const perEpoch = state.run.updates_per_epoch;
  const named = unit.name === "perplexity" ? "perplexity" : unit.label.replaceAll(" ", "_");
  const head = ["update", "epochs", "seconds", ...["smooth", "low", "high"].map((each) => `${each}_${named}`)];
  const rows = curve.update.map((update, i) => [
    update,
    (update / perEpoch).toFixed(4),
    curve.seconds[i] ?? "",
    ...[curve.smooth, curve.low, curve.high].map((losses) => unit.of(losses[i]) ?? ""),
  ]);
  return [head, ...rows].map((row) => row.join(",")).join("\n") + "\n";
}
