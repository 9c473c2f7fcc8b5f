/** The chart for a file, with a title and axis titles; and as CSV. Pure functions. */

import { textScaled } from "../lib/dom.js";
import { escapeLabel } from "../lib/plotly-theme.js";
import { MARGIN } from "../curve/scales.js";
import * as format from "../lib/format.js";
import { networkSummary } from "../lib/network-summary.js";
import { OWN_SMOOTHING } from "../curve/smoothing.js";

/** The size of an exported image in pixels, before scaling. */
export const SIZE = { width: 1000, height: 620 };

const TITLE_PX = textScaled(18);
const EXTRA_MARGIN = { l: textScaled(26), r: textScaled(20), t: textScaled(58), b: textScaled(24) };

/**
 * The figure that Plotly draws into a file.
 *
 * @param {WatchState} state
 * @param {any} figure `data`, `layout` and `colours`, as on the page.
 */
export function exportFigure(state, { data, layout, colours }) {
  const { unit, xAxis, smoothing } = labels(state);
  const { run } = state;
  const about = [networkSummary(run.spec), `${format.count(run.update)} updates`, smoothing];
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
    sequence: "loss, nats per sequence",
    character: "loss, nats per character",
    bits: "loss, bits per character",
    perplexity: "perplexity",
  };
  return {
    unit: units[unit],
    xAxis: xAxis === "seconds" ? "seconds of training" : xAxis,
    smoothing:
      smoothing === OWN_SMOOTHING
        ? ""
        : smoothing === "0"
          ? "not smoothed"
          : `smoothing ${smoothing}`,
  };
}

/**
 * The points in view as CSV: one row per point, losses in the chosen unit.
 *
 * @param {WatchState} state
 * @param {ChartScales} scales
 * @returns {string}
 */
export function csvOf(state, { curve, unit }) {
  const perEpoch = state.run.updates_per_epoch;
  const named = unit.name === "perplexity" ? "perplexity" : unit.label.replaceAll(" ", "_");
  const head = [
    "update",
    "epochs",
    "seconds",
    ...["smooth", "low", "high"].map((each) => `${each}_${named}`),
  ];
  const rows = curve.update.map((update, i) => [
    update,
    (update / perEpoch).toFixed(4),
    curve.seconds[i] ?? "",
    ...[curve.smooth, curve.low, curve.high].map((losses) => unit.of(losses[i]) ?? ""),
  ]);
  return [head, ...rows].map((row) => row.join(",")).join("\n") + "\n";
}
