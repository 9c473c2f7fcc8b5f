/** The chart as Plotly wants it: traces and layout from the state. No DOM, no drawing. */

import { smoothAt } from "./curve.js";
import {
  MARGIN,
  bandOutline,
  lossRange,
  plotWidthOf,
  references,
  scaleOf,
  viewRange,
  visibleCurve,
  visibleValidation,
} from "./geometry.js";
import { hurrahLabels, lineLabels } from "./labels.js";
import { indexInView } from "./samples.js";

const LABEL_PX = 11.5;
const NARROW_PX = 360; // below it, 10k instead of 10,000
const MARK_CELL_PX = 9; // apart enough to be told from one another
const CLEAR = "rgba(0,0,0,0)";

/**
 * @param {Object} state
 * @param {Object} colours from theme.js
 * @param {{width: number, height: number}} size of the whole chart in pixels.
 * @param {string} font
 */
export function plotOf(state, colours, size, font) {
  const plotWidth = plotWidthOf(size);
  const curve = visibleCurve(state, plotWidth);
  const validation = visibleValidation(state);
  const losses = lossRange(curve, validation);
  const text = { family: font, size: LABEL_PX, color: colours.soft };
  return {
    data: [
      ...band(bandOutline(state, plotWidth), colours),
      line(curve, colours),
      validationLine(validation, colours),
      ...marks(state, colours, plotWidth),
    ],
    layout: layout(state, colours, size, losses, text),
    losses,
  };
}

function band({ x, low, high }, colours) {
  const edge = {
    type: "scatter",
    mode: "lines",
    x,
    hoverinfo: "skip",
    line: { color: colours.bandFill, width: 1, simplify: false },
  };
  return [
    { ...edge, y: low },
    { ...edge, y: high, fill: "tonexty", fillcolor: colours.bandFill },
  ];
}

function line(curve, colours) {
  return {
    type: "scatter",
    mode: "lines",
    x: curve.update,
    y: curve.smooth,
    hoverinfo: "skip",
    line: { color: colours.ink, width: 2, simplify: false },
  };
}

/** Dashed, so that no colour is needed to tell it; where it rises again, the network over-fits. */
function validationLine({ update, loss }, colours) {
  return {
    type: "scatter",
    mode: "lines+markers",
    x: update.map((at) => Math.max(at, 1)),
    y: loss,
    hoverinfo: "skip",
    line: { color: colours.accentInk, width: 1.6, dash: "5px,3px" },
    marker: { size: 3.5, color: colours.accentInk },
  };
}

/** Where marks stand: on the smooth line, the one before the first update at its beginning. */
function at(state, updates) {
  const onAxis = updates.map((update) => Math.max(update, 1));
  return { x: onAxis, y: onAxis.map((update) => smoothAt(state.curve, update)) };
}

function marks(state, colours, plotWidth) {
  const { toPixel } = scaleOf(state, plotWidth);
  const dots = (updates, marker) => ({
    type: "scatter",
    mode: "markers",
    ...at(state, updates),
    hoverinfo: "skip",
    cliponaxis: false,
    marker,
  });
  const updatesOf = (list) => [...new Set(list.map(({ update }) => update))];
  const hurrahs = state.milestones.filter(({ kind }) => kind === "hurrah");
  const viewed = state.samples[indexInView(state)];
  const rim = (color, width) => ({ color, width });
  return [
    dots(apart(updatesOf(state.samples), toPixel), {
      size: 6,
      color: colours.card,
      line: rim(colours.soft, 1.2),
    }),
    dots(updatesOf(state.checkpoints.filter(({ automatic }) => !automatic)), {
      size: 9,
      symbol: "diamond",
      color: colours.card,
      line: rim(colours.ink, 1.4),
    }),
    dots(updatesOf(state.milestones.filter(({ kind }) => kind === "rollback")), {
      size: 11,
      symbol: "x-thin",
      line: rim(colours.bad, 2.5),
    }),
    dots(updatesOf(hurrahs), { size: 9, color: colours.accent, line: rim(colours.card, 1.5) }),
    dots(viewed ? [viewed.update] : [], {
      size: 13,
      color: colours.card,
      line: rim(colours.ink, 3),
    }),
  ];
}

/** Of updates whose marks would lie on one another, the last of each heap. */
function apart(updates, toPixel) {
  const cells = updates.map((update) => Math.floor(toPixel(Math.max(update, 1)) / MARK_CELL_PX));
  return updates.filter((_, i) => cells[i] !== cells[i + 1]);
}

function layout(state, colours, size, losses, text) {
  const lines = references(state.run, state.corpora[state.run.corpus]).filter(
    ({ loss }) => loss > losses[0] && loss < losses[1],
  );
  return {
    ...size,
    margin: MARGIN,
    paper_bgcolor: CLEAR,
    plot_bgcolor: CLEAR,
    font: text,
    showlegend: false,
    hovermode: false,
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    modebar: { bgcolor: CLEAR, color: colours.soft, activecolor: colours.ink },
    xaxis: updateAxis(state, colours, size, text),
    yaxis: {
      ...axis(colours, text),
      range: losses,
      fixedrange: true,
      tickformat: "~r",
      nticks: Math.max(3, Math.floor(size.height / 70)),
    },
    shapes: lines.map(({ loss }) => referenceLine(loss, colours)),
    annotations: [
      ...lineLabels(ended(lines, state), losses, size),
      ...hurrahLabels(state, losses, size, { color: colours.accentInk, size: LABEL_PX }),
    ],
  };
}

/** The lines with a name at their end: the references, and the validation loss; greatest first. */
function ended(lines, { validation }) {
  const loss = validation.loss.findLast(Number.isFinite);
  const all = loss === undefined ? lines : [...lines, { name: "validation", loss }];
  return all.toSorted((a, b) => b.loss - a.loss);
}

const axis = (colours, text) => ({
  gridcolor: colours.line,
  gridwidth: 1,
  zeroline: false,
  showline: false,
  ticks: "outside",
  ticklen: 5,
  tickcolor: CLEAR, // the ticks only hold the labels off the corner
  tickfont: text,
  automargin: false,
});

function updateAxis(state, colours, size, text) {
  const [from, to] = viewRange(state);
  const log = state.scale === "log";
  const start = Math.max(from, 0.5);
  const width = plotWidthOf(size);
  return {
    ...axis(colours, text),
    type: log ? "log" : "linear",
    range: log ? [Math.log10(start), Math.log10(to)] : [from, to],
    showgrid: false,
    tickformat: width < NARROW_PX ? "~s" : ",d",
    nticks: Math.max(3, Math.floor(width / 90)),
    ...(log ? logTicks(to / start) : {}),
  };
}

/** Ticks at the powers of ten, for a shorter span at 1, 2 and 5 times each; else as it comes. */
function logTicks(ratio) {
  if (ratio > 200) return { dtick: 1 };
  return ratio > 5 ? { dtick: "D2" } : {};
}

const referenceLine = (loss, colours) => ({
  type: "line",
  xref: "paper",
  x0: 0,
  x1: 1,
  y0: loss,
  y1: loss,
  layer: "below",
  line: { color: colours.soft, width: 1, dash: "1.5px,4px" },
});
