/** The chart of several runs for Plotly: traces and layout of a state. */

import { TRANSPARENT, axis, escapeLabel, baseLayout, horizontalLine } from "../lib/plotly-theme.js";
import { goalLine, heightAt, heightOf, linesOf, mergeByCell, viewOf, within } from "./lines.js";
import { SERIES_STYLES } from "./series-styles.js";

const LABEL_PX = 12;
const LINE_PX = 15;
const CHARACTER_EM = 0.56;
const NARROW_PX = 560; // of the whole chart
const CELL_PX = 1;
const PROBES = 16; // points along a label where another line may cross it

/** Space around the plot in pixels; the names are on the right, at the ends of the lines. */
export const marginOf = ({ width }) => ({
  l: 44,
  r: width < NARROW_PX ? 92 : 168,
  t: 34,
  b: 30,
  pad: 0,
});

/**
 * @param {any} state
 * @param {any} colours see lib/theme.js, with those of the slots as `series`.
 * @param {Size} size of the whole chart in pixels.
 * @param {string} font
 */
export function plotOf(state, colours, size, font) {
  const lines = linesOf(state);
  const view = viewOf(state, lines);
  const margin = marginOf(size);
  const inner = {
    width: Math.max(size.width - margin.l - margin.r, 10),
    height: Math.max(size.height - margin.t - margin.b, 10),
  };
  const scale = scaleOf(state.scale, view, inner.width);
  const pieces = lines.map((line) => ({ ...line, ...within(line, view) }));
  const span = heightOf(pieces.map((piece) => pointsInView(piece, view)));
  const text = { family: font, size: LABEL_PX - 0.5, color: colours.soft };
  const frame = { kind: state.scale, view, span, scale, inner };
  const goal = goalLine(state);
  const shown = goal !== null && goal > span[0] && goal < span[1] ? goal : null;
  return {
    data: [
      ...pieces.map((piece) => lineTrace(piece, scale, colours)),
      forks(pieces, colours),
      ends(pieces, view, colours),
      crossings(state, lines, shown, colours),
    ],
    layout: {
      ...size,
      margin,
      ...baseLayout(text),
      dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
      modebar: { bgcolor: TRANSPARENT, color: colours.soft, activecolor: colours.ink },
      xaxis: xAxis(state, view, inner, colours, text),
      yaxis: yAxis(span, inner, colours, text),
      shapes: shown === null ? [] : [horizontalLine(shown, colours)],
      annotations: [
        ...goalLabel(inner.width < NARROW_PX / 2 ? null : shown, text),
        ...labels(pieces, { ...frame, room: margin.r }, colours, text),
      ],
    },
    lines,
    view,
    span,
  };
}

function scaleOf(kind, [from, to], width) {
  const measure = kind === "log" ? (x) => Math.log10(Math.max(x, 1e-9)) : (x) => x;
  const [start, end] = [measure(from), measure(to)];
  return (x) => ((measure(x) - start) / (end - start)) * width;
}

/** A map from pixels of the plot to x. */
export function toX(kind, [from, to], width) {
  if (kind !== "log") return (pixel) => from + (pixel / width) * (to - from);
  const [start, end] = [Math.log10(from), Math.log10(to)];
  return (pixel) => 10 ** (start + (pixel / width) * (end - start));
}

/** Only the points in view: the ones beside it must not affect the axis. */
function pointsInView({ x, y }, [from, to]) {
  const kept = y.filter((_, i) => x[i] >= from && x[i] <= to);
  return { y: kept.length ? kept : y };
}

function lineTrace(piece, scale, colours) {
  return {
    type: "scatter",
    mode: "lines",
    ...mergeByCell(piece, (x) => scale(x) / CELL_PX),
    hoverinfo: "skip",
    line: {
      color: colours.series[piece.slot],
      width: piece.slot === 0 ? 2 : 2.2,
      dash: SERIES_STYLES[piece.slot].dash,
      simplify: false,
    },
  };
}

const dots = (points, marker) => ({
  type: "scatter",
  mode: "markers",
  x: points.map(([x]) => x),
  y: points.map(([, y]) => y),
  hoverinfo: "skip",
  cliponaxis: true,
  marker,
});

/** A ring where a fork leaves its parent's line. */
function forks(pieces, colours) {
  const forked = pieces.filter(({ fork }) => fork);
  return dots(
    forked.map(({ fork }) => fork),
    {
      size: 11,
      color: colours.card,
      line: { width: 2.5, color: forked.map(({ slot }) => colours.series[slot]) },
    },
  );
}

/** The marker of each run at the end of its line. */
function ends(pieces, view, colours) {
  const ended = pieces.filter(({ x }) => x.length && x.at(-1) <= view[1]);
  const size = 8;
  return dots(
    ended.map(({ x, y }) => [x.at(-1), y.at(-1)]),
    {
      size,
      symbol: ended.map(({ slot }) => SERIES_STYLES[slot].symbol),
      color: ended.map(({ slot }) => colours.series[slot]),
    },
  );
}

/** The points where the lines first fell below the goal, as reported by the server. */
function crossings(state, lines, goal, colours) {
  const points = lines.flatMap(({ id, x, update }) => {
    const found = goal === null ? null : state.reached[id]?.update;
    const after = found ? update.findIndex((each) => each >= found) : -1;
    // The point of a fork may be on its parent's line.
    return after < 0 || found < update[0] ? [] : [[x[after], goal]];
  });
  return dots(points, {
    size: 7,
    color: colours.card,
    line: { width: 1.6, color: colours.soft },
  });
}

function xAxis({ scale, x }, [from, to], { width }, colours, text) {
  const log = scale === "log";
  return {
    ...axis(colours, text),
    type: log ? "log" : "linear",
    range: log ? [Math.log10(from), Math.log10(to)] : [from, to],
    showgrid: false,
    tickformat: x === "epochs" ? "~g" : width < 360 ? "~s" : ",~r",
    nticks: Math.max(3, Math.floor(width / 90)),
    ...(log && to / from > 200 ? { dtick: 1 } : {}),
  };
}

const yAxis = (span, { height }, colours, text) => ({
  ...axis(colours, text),
  range: span,
  fixedrange: true,
  tickformat: "~r",
  nticks: Math.max(3, Math.floor(height / 55)),
});

const goalLabel = (goal, text) =>
  goal === null
    ? []
    : [
        {
          text: `below ${goal.toFixed(2)}`,
          xref: "paper",
          x: 1, // on the right, where the lines are lower
          xanchor: "right",
          y: goal,
          yanchor: "bottom",
          showarrow: false,
          font: text,
        },
      ];

/** The names of the runs at the ends of their lines, without overlaps, shortened to fit. */
function labels(pieces, { kind, view, span, scale, inner, room }, colours, text) {
  const taken = [];
  const toValue = toX(kind, view, inner.width);
  const toPixel = (y) => ((span[1] - y) / (span[1] - span[0])) * inner.height;
  return pieces
    .map((piece) => ({ piece, end: lastInView(piece, view) }))
    .filter(({ end }) => end)
    .sort((a, b) => b.end[1] - a.end[1])
    .map(({ piece, end: [x, y] }) => {
      const left = scale(x) + 9;
      const space = inner.width + room - left;
      const name = shorten(piece.name, Math.floor(space / (LABEL_PX * CHARACTER_EM)));
      const right = left + name.length * LABEL_PX * CHARACTER_EM;
      // In the right margin there is space below; within the plot other lines are in the way.
      const beside = left > inner.width * 0.94;
      const bottom = inner.height + (beside ? LINE_PX * 2 : 0);
      const box = { left, right, bottom, most: LINE_PX * (beside ? 8 : 3) };
      const crossing = crossingHeights(pieces, piece, box, toValue).map(toPixel);
      const pixel = freeRow(toPixel(y), box, taken, crossing);
      if (pixel === null) return null;
      taken.push({ left, right, pixel });
      return {
        text: escapeLabel(name),
        xref: "paper",
        x: 0,
        xanchor: "left",
        xshift: left,
        yref: "paper",
        y: 1,
        yanchor: "middle",
        yshift: -pixel,
        showarrow: false,
        bgcolor: colours.card,
        borderpad: 0,
        font: { ...text, size: LABEL_PX, color: colours.series[piece.slot] },
      };
    })
    .filter(Boolean);
}

/** The row nearest to `wanted` without another name or line; null if there is none. */
function freeRow(wanted, { left, right, bottom, most }, taken, crossing) {
  const near = taken.filter((other) => other.left < right && other.right > left);
  const free = (pixel) =>
    near.every((other) => Math.abs(other.pixel - pixel) >= LINE_PX) &&
    crossing.every((line) => Math.abs(line - pixel) >= LINE_PX * 0.6);
  for (let off = 0; off < most; off += 1) {
    for (const pixel of [wanted + off, wanted - off]) {
      if (pixel >= 0 && pixel <= bottom && free(pixel)) return pixel;
    }
  }
  return null; // the list of runs identifies it by colour, dash and marker
}

/** The heights at which other lines cross the width of a box. */
function crossingHeights(pieces, own, { left, right }, toValue) {
  const places = Array.from({ length: PROBES }, (_, i) => i / (PROBES - 1));
  const steps = places.map((share) => toValue(left + (right - left) * share));
  return pieces
    .filter((piece) => piece !== own)
    .flatMap((piece) => steps.map((x) => heightAt(piece, x)))
    .filter((value) => value !== null);
}

function lastInView({ x, y }, [from, to]) {
  const last = x.findLastIndex((each) => each >= from && each <= to);
  return last < 0 ? null : [x[last], y[last]];
}

const shorten = (name, length) =>
  name.length > length ? `${name.slice(0, Math.max(length - 1, 3)).trimEnd()}…` : name;
