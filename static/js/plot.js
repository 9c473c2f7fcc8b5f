/**
 * The chart as Plotly wants it: traces and layout from the state. No DOM, no drawing.
 */

import { between, lastUpdate, lossSpan, mergeByCell, smoothAt, splice } from "./curve.js";
import { indexInView } from "./samples.js";

/** Space around the plotting area, in pixels; the labels of the reference lines stand right. */
export const MARGIN = { l: 40, r: 62, t: 30, b: 28, pad: 0 };

const LABEL_PX = 11.5;
const NARROW_PX = 360; // below it, 10k instead of 10,000
const MARK_CELL_PX = 9; // apart enough to be told from one another
const LINE_CELL_PX = 0.5;
const BAND_CELL_PX = 3; // wide enough for the band to be a band, and not a hatching
const LIMIT_HURRAH_LABELS = 12;

/** The span of updates in view: the reader's zoom, or from the start to the live end. */
export function viewRange({ range, scale, curve }) {
  if (range) return range;
  const end = Math.max(lastUpdate(curve), 10);
  return scale === "log" ? [1, end * 1.06] : [0, end * 1.015];
}

/** Maps updates to pixels across a plot `width` pixels wide, and back. */
export function scaleOf(state, width) {
  const [from, to] = viewRange(state);
  if (state.scale === "log") {
    const start = Math.log10(Math.max(from, 0.5));
    const perPixel = (Math.log10(to) - start) / width;
    return {
      toPixel: (update) => (Math.log10(Math.max(update, 0.5)) - start) / perPixel,
      toUpdate: (pixel) => 10 ** (start + pixel * perPixel),
    };
  }
  const perPixel = (to - from) / width;
  return {
    toPixel: (update) => (update - from) / perPixel,
    toUpdate: (pixel) => from + pixel * perPixel,
  };
}

/**
 * The points in view, at the finest known resolution, merged to cells some pixels wide.
 *
 * @param {Object} state
 * @param {number} width of the plot in pixels.
 * @param {number} cell in pixels.
 */
export function visibleCurve(state, width, cell = LINE_CELL_PX) {
  const [from, to] = viewRange(state);
  const finest = state.detail ? splice(state.curve, state.detail) : state.curve;
  const { toPixel } = scaleOf(state, width);
  return mergeByCell(between(finest, from, to), (update) => toPixel(update) / cell);
}

/** The reference losses, in nats a sequence, with their names. */
export function references(run, corpus) {
  const entropy = corpus?.entropy;
  if (!entropy) return [];
  const characters = run.spec.sequence_length;
  return ["uniform", "unigram", "bigram"].map((name) => ({
    name,
    loss: entropy[name] * characters,
  }));
}

/**
 * The least and greatest loss to show, on steps of a round size so that the axis holds still while
 * the curve grows.
 */
export function lossRange(curve) {
  const span = lossSpan(curve);
  if (!span) return [0, 120];
  const [low, high] = span;
  const step = roundStep(Math.max(high - low, 0.5) / 14);
  return [Math.floor((low - step * 0.3) / step) * step, Math.ceil((high + step * 0.6) / step) * step];
}

function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= size);
}

/**
 * @param {Object} state
 * @param {Object} colours from theme.js
 * @param {{width: number, height: number}} size of the whole chart in pixels.
 * @param {string} font
 */
export function plotOf(state, colours, size, font) {
  const plotWidth = Math.max(size.width - MARGIN.l - MARGIN.r, 10);
  const curve = visibleCurve(state, plotWidth);
  const envelope = visibleCurve(state, plotWidth, BAND_CELL_PX);
  const losses = lossRange(curve);
  return {
    data: [...band(envelope, colours), line(curve, colours), ...marks(state, colours, plotWidth)],
    layout: layout(state, colours, size, font, losses, plotWidth),
    losses,
  };
}

function band(curve, colours) {
  const edge = {
    type: "scatter",
    mode: "lines",
    x: curve.update,
    hoverinfo: "skip",
    line: { color: colours.bandFill, width: 1, simplify: false },
  };
  return [
    { ...edge, y: curve.low },
    { ...edge, y: curve.high, fill: "tonexty", fillcolor: colours.bandFill },
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
    dots(apart(updatesOf(state.samples), toPixel), { size: 6, color: colours.card, line: rim(colours.soft, 1.2) }),
    dots(updatesOf(state.checkpoints.filter(({ automatic }) => !automatic)), {
      size: 9,
      symbol: "diamond",
      color: colours.card,
      line: rim(colours.ink, 1.4),
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
  const cell = (update) => Math.floor(toPixel(Math.max(update, 1)) / MARK_CELL_PX);
  return updates.filter((update, i) => i + 1 === updates.length || cell(update) < cell(updates[i + 1]));
}

function layout(state, colours, size, font, losses, plotWidth) {
  const text = { family: font, size: LABEL_PX, color: colours.soft };
  const [from, to] = viewRange(state);
  const log = state.scale === "log";
  const axis = {
    gridcolor: colours.line,
    gridwidth: 1,
    zeroline: false,
    showline: false,
    ticks: "outside",
    ticklen: 5,
    tickcolor: "rgba(0,0,0,0)", // invisible: they only hold the labels off the corner
    tickfont: text,
    automargin: false,
    hoverformat: ",d",
  };
  const lines = references(state.run, state.corpora[state.run.corpus]).filter(
    ({ loss }) => loss > losses[0] && loss < losses[1],
  );
  return {
    width: size.width,
    height: size.height,
    margin: MARGIN,
    paper_bgcolor: "rgba(0,0,0,0)",
    plot_bgcolor: "rgba(0,0,0,0)",
    font: text,
    showlegend: false,
    hovermode: false,
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    modebar: { bgcolor: "rgba(0,0,0,0)", color: colours.soft, activecolor: colours.ink },
    xaxis: {
      ...axis,
      type: log ? "log" : "linear",
      range: log ? [Math.log10(Math.max(from, 0.5)), Math.log10(to)] : [from, to],
      showgrid: false,
      tickformat: plotWidth < NARROW_PX ? "~s" : ",d",
      nticks: Math.max(3, Math.floor(plotWidth / 90)),
      ...(log && to / Math.max(from, 0.5) > 200 ? { dtick: 1 } : {}),
    },
    yaxis: {
      ...axis,
      range: losses,
      fixedrange: true,
      tickformat: "~r",
      nticks: Math.max(3, Math.floor(size.height / 70)),
    },
    shapes: lines.map(({ loss }) => ({
      type: "line",
      xref: "paper",
      x0: 0,
      x1: 1,
      y0: loss,
      y1: loss,
      layer: "below",
      line: { color: colours.soft, width: 1, dash: "1.5px,4px" },
    })),
    annotations: [
      ...lineLabels(lines, losses, size),
      ...hurrahLabels(state, colours, losses, size, plotWidth),
    ],
  };
}

/** The name of each reference line, in the margin at its end, apart from its neighbours. */
function lineLabels(lines, losses, size) {
  const plotHeight = size.height - MARGIN.t - MARGIN.b;
  const pixels = (loss) => ((losses[1] - loss) / (losses[1] - losses[0])) * plotHeight;
  let above = -Infinity;
  return lines.map(({ name, loss }) => {
    const y = Math.max(pixels(loss), above + 13);
    above = y;
    return {
      text: name,
      xref: "paper",
      x: 1,
      xanchor: "left",
      xshift: 6,
      y: loss,
      yanchor: "middle",
      yshift: pixels(loss) - y,
      showarrow: false,
    };
  });
}

/**
 * "hurrah - Orla" beside its mark: below left or above right, wherever it hides neither the curve's
 * other labels nor the plot's edges; left out when it fits nowhere (the chips have them all).
 */
function hurrahLabels(state, colours, losses, size, plotWidth) {
  const { toPixel } = scaleOf(state, plotWidth);
  const plotHeight = size.height - MARGIN.t - MARGIN.b;
  const toY = (loss) => ((losses[1] - loss) / (losses[1] - losses[0])) * plotHeight;
  const taken = [];
  const labels = [];
  for (const [update, words] of hurrahsByUpdate(state.milestones)) {
    const x = toPixel(Math.max(update, 1));
    const loss = smoothAt(state.curve, update);
    if (loss === null || x < 0 || x > plotWidth || labels.length >= LIMIT_HURRAH_LABELS) continue;
    const text = words.length > 2 ? `${words[0]} and ${words.length - 1} more` : words.join(", ");
    const full = labels.length === 0 ? `hurrah - ${text}` : text;
    const width = full.length * LABEL_PX * 0.56 + 4;
    const place = [
      { xanchor: "right", dx: -10, dy: 14 },
      { xanchor: "left", dx: 10, dy: -14 },
    ].find(({ xanchor, dx, dy }) => {
      const left = xanchor === "left" ? x + dx : x + dx - width;
      const box = { left, right: left + width, top: toY(loss) + dy - 8, bottom: toY(loss) + dy + 8 };
      const inside =
        box.left > 0 && box.right < plotWidth && box.top > 0 && box.bottom < plotHeight;
      const free = inside && !taken.some((other) => overlaps(box, other));
      if (free) taken.push(box);
      return free;
    });
    if (!place) continue;
    labels.push({
      text: escaped(full),
      x: state.scale === "log" ? Math.log10(Math.max(update, 1)) : update,
      y: loss,
      xanchor: place.xanchor,
      yanchor: "middle",
      xshift: place.dx,
      yshift: -place.dy,
      showarrow: false,
      font: { color: colours.accentInk, size: LABEL_PX + 0.5 },
    });
  }
  return labels;
}

function hurrahsByUpdate(milestones) {
  const words = new Map();
  for (const { kind, update, text } of milestones) {
    if (kind !== "hurrah") continue;
    const word = text.replace(/^hurrah\s*[-–:]\s*/iu, "");
    words.set(update, [...(words.get(update) ?? []), word]);
  }
  return words;
}

const overlaps = (a, b) =>
  a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;

// Plotly reads a few tags in its labels; a watched word is text and has none.
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
