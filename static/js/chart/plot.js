/** The chart as Plotly wants it: traces and layout from the state. No DOM, no drawing. */

import { timeTicks } from "../curve/axes.js";
import { smoothAt } from "../curve/loss-curve.js";
import { axis, ground, ruleAt } from "../lib/plotly-theme.js";
import { MARGIN, markedCurve, pictureOf, references } from "../curve/scales.js";
import { epochLabels, lineLabels, markLabels } from "./annotations.js";
import { epochsIn, marksOf, thinned } from "./markers.js";

const LABEL_PX = 11.5;
const MANY = 1e5; // from there on 100k instead of 100,000
const NARROW_PX = 360; // below it, 10k instead of 10,000
const LINE_PX = { 0: 0.8, 0.9: 1.2, 0.99: 1.6 }; // a line that is all noise would hide everything

/**
 * @param {Object} state
 * @param {Object} colours from lib/theme.js
 * @param {{width: number, height: number}} size of the whole chart in pixels.
 * @param {string} font
 */
export function plotOf(state, colours, size, font) {
  const picture = pictureOf(state, size);
  const text = { family: font, size: LABEL_PX, color: colours.soft };
  const marks = thinned(marksOf(state), picture.updateToPixel, picture.width);
  return {
    // Plotly takes its time over each of them, be there nothing in it.
    data: [
      ...band(picture, colours),
      line(picture, colours, LINE_PX[state.smoothing] ?? 2),
      validationLine(picture, colours),
      ...dots(state, picture, marks, colours),
    ].filter(({ x }) => x.length),
    layout: layout(state, picture, marks, colours, text),
  };
}

/** Updates as the axis across shows them, and losses as the axis upwards does. */
const xs = ({ across }, updates) => updates.map((update) => across.of(update));
const ys = ({ unit }, losses) => losses.map((loss) => unit.of(loss));

function band(picture, colours) {
  const { update, low, high } = picture.band;
  const edge = {
    type: "scatter",
    mode: "lines",
    x: xs(picture, update),
    hoverinfo: "skip",
    line: { color: colours.bandFill, width: 1, simplify: false },
  };
  return [
    { ...edge, y: ys(picture, low) },
    { ...edge, y: ys(picture, high), fill: "tonexty", fillcolor: colours.bandFill },
  ];
}

function line(picture, colours, width) {
  return {
    type: "scatter",
    mode: "lines",
    x: xs(picture, picture.curve.update),
    y: ys(picture, picture.curve.smooth),
    hoverinfo: "skip",
    line: { color: colours.ink, width, simplify: false },
  };
}

/** Dashed, so that no colour is needed to tell it; where it rises again, the network over-fits. */
function validationLine(picture, colours) {
  const { update, loss } = picture.validation;
  return {
    type: "scatter",
    mode: "lines+markers",
    x: xs(picture, update.map((at) => Math.max(at, 1))),
    y: ys(picture, loss),
    hoverinfo: "skip",
    line: { color: colours.accentInk, width: 1.6, dash: "5px,3px" },
    marker: { size: 3.5, color: colours.accentInk },
  };
}

/** The marks, on the smooth line; what comes before the first update stands at its beginning. */
function dots(state, picture, marks, colours) {
  const curve = markedCurve(state);
  const trace = (updates, marker) => {
    const onAxis = updates.map((update) => Math.max(update, 1));
    return {
      type: "scatter",
      mode: "markers",
      x: xs(picture, onAxis),
      y: ys(picture, onAxis.map((update) => smoothAt(curve, update))),
      hoverinfo: "skip",
      cliponaxis: false,
      marker,
    };
  };
  const rim = (color, width) => ({ color, width });
  const { ink, soft, card, accent, bad } = colours;
  const looks = {
    sample: { size: 6, color: card, line: rim(soft, 1.2) },
    checkpoint: { size: 9, symbol: "diamond", color: card, line: rim(ink, 1.4) },
    change: { size: 8, symbol: "square", color: card, line: rim(ink, 1.4) },
    rollback: { size: 11, symbol: "x-thin", line: rim(bad, 2.5) },
    note: { size: 12, symbol: "triangle-down", color: ink, line: rim(card, 1.2) },
    hurrah: { size: 12, symbol: "star", color: accent, line: rim(card, 1.2) },
  };
  return Object.entries(looks).map(([kind, look]) =>
    trace(marks[kind].map(({ update }) => update), look),
  );
}

function layout(state, picture, marks, colours, text) {
  const { range, updateToPixel, lossToPixel, height } = picture;
  const lines = references(state.run, state.corpora[state.run.corpus]).filter(({ loss }) => {
    const pixel = lossToPixel(loss);
    return pixel > 0 && pixel < height;
  });
  const epochs = epochsIn(state.run.updates_per_epoch, range, updateToPixel).filter(
    ({ pixel }) => pixel > 0 && pixel < picture.width,
  );
  const fonts = {
    hurrah: { ...text, color: colours.accentInk },
    note: { ...text, color: colours.ink },
    ground: colours.card,
  };
  return {
    ...picture.size,
    margin: MARGIN,
    ...ground(text),
    xaxis: axisAcross(picture, colours, text),
    yaxis: axisUp(picture, colours, text),
    shapes: [
      ...epochs.map(({ update }) => epochLine(picture.across.of(update), colours)),
      ...lines.map(({ loss }) => ruleAt(picture.unit.of(loss), colours)),
    ],
    annotations: [
      ...epochLabels(epochs, picture),
      ...lineLabels(ended(lines, state), picture),
      ...markLabels(state, marks, picture, fonts),
    ],
  };
}

/** The lines with a name at their end: the references, and the validation loss; greatest first. */
function ended(lines, { validation }) {
  const loss = validation.loss.findLast(Number.isFinite);
  const all = loss === undefined ? lines : [...lines, { name: "validation", loss }];
  return all.toSorted((a, b) => b.loss - a.loss);
}

const extent = (span, log) => (log ? span.map(Math.log10) : span);

function axisAcross({ across, spanX, logX, width }, colours, text) {
  const short = width < NARROW_PX;
  const most = Math.max(3, Math.floor(width / 90));
  const shown = {
    ...axis(colours, text),
    type: logX ? "log" : "linear",
    range: extent(spanX, logX),
    showgrid: false,
    nticks: most,
  };
  if (across.name === "seconds") {
    const { values, words } = timeTicks(...spanX, most, logX);
    return { ...shown, tickmode: "array", tickvals: values, ticktext: words };
  }
  const format = across.name === "epochs" ? "~r" : ",d";
  return {
    ...shown,
    tickformat: short && across.name === "updates" ? "~s" : format,
    ...(logX ? logTicks(spanX[1] / spanX[0]) : {}),
  };
}

function axisUp({ spanY, logY, height }, colours, text) {
  return {
    ...axis(colours, text),
    type: logY ? "log" : "linear",
    range: extent(spanY, logY),
    tickformat: spanY[1] < MANY ? "~r" : "~s", // the margin has no room for the many noughts
    nticks: Math.max(3, Math.floor(height / 60)),
    ...(logY ? logTicks(spanY[1] / spanY[0]) : {}),
  };
}

/** Ticks at the powers of ten, for a shorter span at 1, 2 and 5 times each; else as it comes. */
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
