/** The chart for Plotly: traces and layout of a state. Pure functions. */

import { textScaled } from "../lib/dom.js";
import { timeTicks } from "../curve/axes.js";
import { smoothAt } from "../curve/loss-curve.js";
import { drawnFactor } from "../curve/smoothing.js";
import {
  MANY,
  narrowPlotPx,
  axis,
  baseLayout,
  horizontalLine,
  tickFormat,
} from "../lib/plotly-theme.js";
import { MARGIN, markedCurve, scalesOf, referenceLosses } from "../curve/scales.js";
import { epochLabels, lineLabels, markLabels } from "./annotations.js";
import { epochsIn, marksOf, visibleMarks } from "./marks.js";

const labelPx = () => textScaled(11.5);
const LOSS_PX = 3;
const LINE_PX = { 0: 0.8, 0.9: 1.2, 0.99: 1.6 }; // a thick noisy line would hide everything

/**
 * @param {WatchState} state
 * @param {Colours} colours see lib/theme.js.
 * @param {Size} size of the whole chart in pixels.
 * @param {string} font
 */
export function plotOf(state, colours, size, font) {
  const scales = scalesOf(state, size);
  const text = { family: font, size: labelPx(), color: colours.soft };
  const marks = visibleMarks(marksOf(state), scales.updateToPixel, scales.width);
  return {
    // Plotly spends time on each trace, even if it is empty.
    data: [
      band(scales, colours),
      seedBand(scales, colours),
      seedMean(scales, colours),
      ownBand(scales, colours),
      losses(scales, colours),
      line(scales, colours, textScaled(LINE_PX[drawnFactor(state)] ?? 2)),
      validationLine(scales, colours),
      ownLine(scales, colours),
      ...dots(state, scales, marks, colours),
    ].filter(({ x }) => x.length),
    layout: layout(state, scales, marks, colours, text),
  };
}

/** Updates in the units of the x axis, and losses in the units of the y axis. */
const xs = ({ xAxis }, updates) => updates.map((update) => xAxis.of(update));
const ys = ({ unit }, losses) => losses.map((loss) => unit.of(loss));

/** Each piece is one polygon: there along the lowest losses, and back along the highest. */
function band(scales, colours) {
  const pieces = scales.band;
  const closed = (forth, back) => [...forth, ...back.toReversed(), null];
  return {
    type: "scatter",
    mode: "lines",
    x: pieces.flatMap(({ update }) => closed(xs(scales, update), xs(scales, update))),
    y: pieces.flatMap(({ low, high }) => closed(ys(scales, low), ys(scales, high))),
    hoverinfo: "skip",
    fill: "toself",
    fillcolor: colours.bandFill,
    line: { color: colours.bandFill, width: 1, simplify: false },
  };
}

/** The runs of the group, from one end of their band to the other. */
function seedBand(scales, colours) {
  const { update, low, high } = scales.seeds;
  const [x, there, back] = [xs(scales, update), ys(scales, high), ys(scales, low)];
  return {
    type: "scatter",
    mode: "lines",
    x: x.length ? [...x, ...x.toReversed(), null] : [],
    y: x.length ? [...there, ...back.toReversed(), null] : [],
    hoverinfo: "skip",
    fill: "toself",
    fillcolor: colours.seedsFill,
    line: { color: colours.seedsFill, width: 1, simplify: false },
  };
}

function seedMean(scales, colours) {
  return {
    name: "mean of the seeds",
    type: "scatter",
    mode: "lines",
    x: xs(scales, scales.seeds.update),
    y: ys(scales, scales.seeds.smooth),
    hoverinfo: "skip",
    line: { color: colours.seeds, width: 1.4, dash: "6px,2px,1px,2px", simplify: false },
  };
}

/** The user's losses between the least and the greatest of each bucket, if there are buckets. */
function ownBand(scales, colours) {
  const { update, low, high } = scales.ownBand;
  const wide = update.some((_, i) => low[i] !== high[i]);
  const [xOf, there, back] = [xs(scales, update), ys(scales, high), ys(scales, low)];
  return {
    type: "scatter",
    mode: "lines",
    x: wide ? [...xOf, ...xOf.toReversed(), null] : [],
    y: wide ? [...there, ...back.toReversed(), null] : [],
    hoverinfo: "skip",
    fill: "toself",
    fillcolor: colours.ownFill,
    line: { color: colours.ownFill, width: 0, simplify: false },
  };
}

function ownLine(scales, colours) {
  return {
    name: "your losses",
    type: "scatter",
    mode: scales.own.update.length > 1 ? "lines" : "lines+markers",
    x: xs(scales, scales.own.update),
    y: ys(scales, scales.own.smooth),
    hoverinfo: "skip",
    line: { color: colours.own, width: 1.8, dash: "8px,2px", simplify: false },
    marker: { size: 5, color: colours.own },
  };
}

function losses(scales, colours) {
  const { update, loss } = scales.losses;
  return {
    name: "losses",
    type: "scatter",
    mode: "markers",
    x: xs(scales, update),
    y: ys(scales, loss),
    hoverinfo: "skip",
    marker: { size: textScaled(LOSS_PX), color: colours.soft, opacity: 0.6 },
  };
}

function line(scales, colours, width) {
  return {
    name: "smooth loss",
    type: "scatter",
    mode: "lines",
    x: xs(scales, scales.curve.update),
    y: ys(scales, scales.curve.smooth),
    hoverinfo: "skip",
    line: { color: colours.ink, width, simplify: false },
  };
}

/** Dashed, so that it can be recognized without its colour. It rises when the network overfits. */
function validationLine(scales, colours) {
  const { update, loss } = scales.validation;
  return {
    type: "scatter",
    mode: "lines+markers",
    x: xs(
      scales,
      update.map((at) => Math.max(at, 1)),
    ),
    y: ys(scales, loss),
    hoverinfo: "skip",
    line: { color: colours.accentInk, width: textScaled(1.6), dash: "5px,3px" },
    marker: { size: textScaled(3.5), color: colours.accentInk },
  };
}

/** The marks on the smooth line. Marks before the first update are shown at the start. */
function dots(state, scales, marks, colours) {
  const curve = markedCurve(state);
  const trace = (updates, marker) => {
    const onAxis = updates.map((update) => Math.max(update, 1));
    return {
      type: "scatter",
      mode: "markers",
      x: xs(scales, onAxis),
      y: ys(
        scales,
        onAxis.map((update) => smoothAt(curve, update)),
      ),
      hoverinfo: "skip",
      cliponaxis: false,
      marker,
    };
  };
  const outline = (color, width) => ({ color, width });
  const { ink, soft, card, accent, bad } = colours;
  const styles = {
    sample: { size: textScaled(6), color: card, line: outline(soft, 1.2) },
    checkpoint: { size: textScaled(9), symbol: "diamond", color: card, line: outline(ink, 1.4) },
    change: { size: textScaled(8), symbol: "square", color: card, line: outline(ink, 1.4) },
    rollback: { size: textScaled(11), symbol: "x-thin", line: outline(bad, 2.5) },
    note: { size: textScaled(12), symbol: "triangle-down", color: ink, line: outline(card, 1.2) },
    hurrah: { size: textScaled(12), symbol: "star", color: accent, line: outline(card, 1.2) },
  };
  return Object.entries(styles).map(([kind, style]) =>
    trace(
      marks[kind].map(({ update }) => update),
      style,
    ),
  );
}

function layout(state, scales, marks, colours, text) {
  const { range, updateToPixel, lossToPixel, height } = scales;
  const lines = referenceLosses(state.run, state.corpora[state.run.corpus]).filter(({ loss }) => {
    const pixel = lossToPixel(loss);
    return pixel > 0 && pixel < height;
  });
  const epochs = epochsIn(state.run.updates_per_epoch, range, updateToPixel).filter(
    ({ pixel }) => pixel > 0 && pixel < scales.width,
  );
  const fonts = {
    hurrah: { ...text, color: colours.accentInk },
    note: { ...text, color: colours.ink },
    labelBackground: colours.card,
  };
  return {
    ...scales.size,
    margin: { ...MARGIN },
    ...baseLayout(text),
    xaxis: {
      ...xAxisLayout(scales, colours, text),
      title: { text: scales.xAxis.label, standoff: 4, font: text },
    },
    yaxis: yAxisLayout(scales, colours, text),
    shapes: [
      ...epochs.map(({ update }) => epochLine(scales.xAxis.of(update), colours)),
      ...lines.map(({ loss }) => horizontalLine(scales.unit.of(loss), colours)),
    ],
    annotations: [
      ...epochLabels(epochs, scales),
      ...lineLabels(namedLines(lines, state), scales),
      ...markLabels(state, marks, scales, fonts),
    ],
  };
}

/** The lines with a label: the references and the validation loss, greatest first. */
function namedLines(lines, { validation }) {
  const loss = validation.loss.findLast(Number.isFinite);
  const all = loss === undefined ? lines : [...lines, { name: "validation", loss }];
  return all.toSorted((a, b) => b.loss - a.loss);
}

const extent = (span, log) => (log ? span.map(Math.log10) : span);

function xAxisLayout({ xAxis, spanX, logX, width }, colours, text) {
  const most = Math.max(3, Math.floor(width / textScaled(90)));
  const shown = {
    ...axis(colours, text),
    type: logX ? "log" : "linear",
    range: extent(spanX, logX),
    showgrid: false,
    nticks: most,
  };
  if (xAxis.name === "seconds") {
    const { values, labels } = timeTicks(spanX[0], spanX[1], most, logX);
    return { ...shown, tickmode: "array", tickvals: values, ticktext: labels };
  }
  return {
    ...shown,
    tickformat: tickFormat(xAxis.name === "updates" && width < narrowPlotPx()),
    ...(logX ? logTicks(spanX[1] / spanX[0]) : {}),
  };
}

function yAxisLayout({ spanY, logY, height }, colours, text) {
  return {
    ...axis(colours, text),
    type: logY ? "log" : "linear",
    range: extent(spanY, logY),
    tickformat: tickFormat(spanY[1] >= MANY),
    nticks: Math.max(3, Math.floor(height / textScaled(60))),
    ...(logY ? logTicks(spanY[1] / spanY[0]) : {}),
  };
}

/**
 * Ticks at the powers of ten; for a shorter span at 1, 2 and 5 times each; else Plotly's choice.
 */
function logTicks(ratio) {
  if (ratio > 200) return { dtick: 1 };
  return ratio > 5 ? { dtick: "D2" } : {};
}

const epochLine = (x, colours) => ({
  type: "line",
  yref: "paper",
  x0: x,
  x1: x,
  y0: 0,
  y1: 1,
  layer: "below",
  line: { color: colours.line, width: 1 },
});
