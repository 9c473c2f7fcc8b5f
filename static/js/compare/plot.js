/** The chart of several runs for Plotly: traces and layout of a state. */

import { textScaled } from "../lib/dom.js";
import {
  MANY,
  narrowPlotPx,
  TRANSPARENT,
  axis,
  baseLayout,
  escapeLabel,
  horizontalLine,
  tickFormat,
} from "../lib/plotly-theme.js";
import {
  bandsOf,
  bandWithin,
  goalLine,
  linesOf,
  ownLinesOf,
  mergeByCell,
  scaledLosses,
  validationLinesOf,
  viewOf,
  within,
  yAt,
  yRangeOf,
} from "./lines.js";
import { SERIES_STYLES, VALIDATION_DASH } from "./series-styles.js";

const LABEL_PX = textScaled(12);
const LINE_PX = textScaled(15);
const APART_PX = LINE_PX + 2; // of the middles of two labels, whose boxes are not at whole pixels
const CHARACTER_EM = 0.56;
const NARROW_PX = textScaled(560); // of the whole chart
const CELL_PX = 1;
const LINE_GAP_PX = 2; // between a label and a line
const MARKER_GAP_PX = 9; // between the end of a line and its name
// Where the goal's label may end, as shares of the width: the lines are lower on the right.
const GOAL_ENDS = [1, 0.75, 0.5, 0.25];
const BESIDE_MARKERS_PX = 24;
const SHORTEST = 4; // characters of a name
const TITLE_PX = textScaled(18);
const MARKER_APART_PX = 14;

/** @typedef {import("./lines.js").Line} Line */
/** @typedef {import("./lines.js").Points} Points */
/** @typedef {import("../lib/plotly-theme.js").Font} Font */
/** @typedef {(x: number) => number} PixelScale */
/** @typedef {Record<string, any>} Part a part of a Plotly figure. */

/**
 * Space around the plot in pixels; the names are on the right, at the ends of the lines.
 *
 * @param {Size} size
 */
export const marginOf = ({ width }) => ({
  l: textScaled(44),
  r: textScaled(width < NARROW_PX ? 92 : 168),
  t: textScaled(34),
  b: textScaled(30) + TITLE_PX,
  pad: 0,
});

/** The title of the x axis, by what it shows. */
const X_TITLES = { updates: "update", epochs: "epochs", seconds: "seconds of training" };


/**
 * @param {CompareState} state
 * @param {SeriesColours} colours see lib/theme.js, with those of the slots as `series`.
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
  // Where the run's line is not, the user's does not set the axes either.
  const own = ownLinesOf(state).map((line) => ({ ...line, ...within(line, view) }));
  const isInView = (/** @type {number} */ x) => x >= view[0] && x <= view[1];
  const inView = own.map(({ x, y }) => ({ y: y.filter((_, i) => isInView(x[i])) }));
  const validations = validationLinesOf(state);
  const validationPieces = validations.map((line) => ({ ...line, ...within(line, view) }));
  const drawnLines = [...pieces, ...validationPieces];
  const bands = bandsOf(state).map((band) => bandWithin(band, view));
  const ends = bands.flatMap(({ x, low, high }) =>
    [low, high].map((side) => ({ y: side.filter((_, i) => isInView(x[i])) })),
  );
  const span = yRangeOf([...scaledLosses(drawnLines, view), ...inView, ...ends]);
  const text = { family: font, size: LABEL_PX - 0.5, color: colours.soft };
  const frame = { kind: state.scale, view, span, scale, inner };
  const goal = goalLine(state);
  const shown = goal !== null && goal > span[0] && goal < span[1] ? goal : null;
  const labelled = inner.width < NARROW_PX / 2 ? null : shown;
  const goalPlace = labelled === null ? null : placeOfGoal(labelled, drawnLines, frame);
  const labelFrame = { ...frame, marginRight: margin.r, shownGoal: shown, goalPlace };
  return {
    data: [
      ...bands.map((band) => bandTrace(band, colours)),
      ...own.map((line) => ownTrace(line, scale, colours)),
      ...pieces.map((piece) => lineTrace(piece, scale, colours)),
      ...validationPieces.map((piece) => validationTrace(piece, inner, colours)),
      forks(pieces, colours),
      endMarkers(pieces, view, colours),
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
        ...goalLabel(goalPlace, inner, text),
        ...labels(pieces, drawnLines, labelFrame, colours, text),
      ],
    },
    lines,
    validations,
    view,
    span,
  };
}

/**
 * @param {Scale} kind
 * @param {[number, number]} view
 * @param {number} width in pixels.
 * @returns {PixelScale}
 */
function scaleOf(kind, [from, to], width) {
  const measure = (/** @type {number} */ x) =>
    kind === "log" ? Math.log10(Math.max(x, 1e-9)) : x;
  const [start, end] = [measure(from), measure(to)];
  return (x) => ((measure(x) - start) / (end - start)) * width;
}

/**
 * A map from pixels of the plot to x.
 *
 * @param {Scale} kind
 * @param {[number, number]} view
 * @param {number} width in pixels.
 * @returns {(pixel: number) => number}
 */
export function toX(kind, [from, to], width) {
  if (kind !== "log") return (pixel) => from + (pixel / width) * (to - from);
  const [start, end] = [Math.log10(from), Math.log10(to)];
  return (pixel) => 10 ** (start + (pixel / width) * (end - start));
}

/**
 * @param {Line} piece
 * @param {PixelScale} scale
 * @param {SeriesColours} colours
 */
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

/**
 * The band of a group, in the colour of its line.
 *
 * @param {import("./lines.js").Band} band
 * @param {SeriesColours} colours
 */
function bandTrace({ slot, x, low, high }, colours) {
  const color = colours.series[slot].replace(/^rgb\((.+)\)$/, "rgba($1, 0.18)");
  return {
    type: "scatter",
    mode: "lines",
    x: [...x, ...x.toReversed()],
    y: [...high, ...low.toReversed()],
    hoverinfo: "skip",
    fill: "toself",
    fillcolor: color,
    line: { color, width: 1, simplify: false },
  };
}

/**
 * The validation losses of a run: a thin line with hollow markers of the run's shape.
 *
 * @param {Line} piece
 * @param {Size} inner
 * @param {SeriesColours} colours
 */
function validationTrace(piece, { width }, colours) {
  const color = colours.series[piece.slot];
  return {
    type: "scatter",
    mode: "lines+markers",
    x: piece.x,
    y: piece.y,
    hoverinfo: "skip",
    line: { color, width: 1.2, dash: VALIDATION_DASH, simplify: false },
    marker: {
      symbol: `${SERIES_STYLES[piece.slot].symbol}-open`,
      size: 5,
      color,
      line: { width: 1.2, color },
      maxdisplayed: Math.max(2, Math.floor(width / MARKER_APART_PX)),
    },
  };
}

/**
 * The user's losses, in the colour of the run that they are kept with.
 *
 * @param {Points & {slot: number}} line
 * @param {PixelScale} scale
 * @param {SeriesColours} colours
 */
function ownTrace(line, scale, colours) {
  return {
    type: "scatter",
    mode: "lines",
    ...mergeByCell(line, (x) => scale(x) / CELL_PX),
    hoverinfo: "skip",
    line: { color: colours.series[line.slot], width: 1.3, dash: "1.5px,2.5px", simplify: false },
  };
}

/**
 * @param {[number, number][]} points
 * @param {Part} marker
 */
const dots = (points, marker) => ({
  type: "scatter",
  mode: "markers",
  x: points.map(([x]) => x),
  y: points.map(([, y]) => y),
  hoverinfo: "skip",
  cliponaxis: true,
  marker,
});

/**
 * A ring where a fork leaves its parent's line.
 *
 * @param {Line[]} pieces
 * @param {SeriesColours} colours
 */
function forks(pieces, colours) {
  const forked = pieces.filter(({ fork }) => fork);
  return dots(
    forked.flatMap(({ fork }) => (fork ? [fork] : [])),
    {
      size: 11,
      color: colours.card,
      line: { width: 2.5, color: forked.map(({ slot }) => colours.series[slot]) },
    },
  );
}

/**
 * The marker of each run at the end of its line.
 *
 * @param {Line[]} pieces
 * @param {[number, number]} view
 * @param {SeriesColours} colours
 */
function endMarkers(pieces, view, colours) {
  const ended = pieces.filter(({ x }) => x.length && x[x.length - 1] <= view[1]);
  const size = 8;
  return dots(
    ended.map(({ x, y }) => [x[x.length - 1], y[y.length - 1]]),
    {
      size,
      symbol: ended.map(({ slot }) => SERIES_STYLES[slot].symbol),
      color: ended.map(({ slot }) => colours.series[slot]),
    },
  );
}

/**
 * The points where the lines first fell below the goal, as reported by the server.
 *
 * @param {CompareState} state
 * @param {Line[]} lines
 * @param {number | null} goal
 * @param {SeriesColours} colours
 */
function crossings(state, lines, goal, colours) {
  /** @type {[number, number][]} */
  const points = [];
  for (const { id, x, update } of lines) {
    const found = state.reached[id]?.update;
    // The point of a fork may be on its parent's line.
    if (goal === null || !found || found < update[0]) continue;
    const after = update.findIndex((each) => each >= found);
    if (after >= 0) points.push([x[after], goal]);
  }
  return dots(points, {
    size: 7,
    color: colours.card,
    line: { width: 1.6, color: colours.soft },
  });
}

/**
 * @param {CompareState} state
 * @param {[number, number]} view
 * @param {Size} inner
 * @param {SeriesColours} colours
 * @param {Font} text
 */
function xAxis({ scale, x }, [from, to], { width }, colours, text) {
  const log = scale === "log";
  return {
    ...axis(colours, text),
    type: log ? "log" : "linear",
    range: log ? [Math.log10(from), Math.log10(to)] : [from, to],
    showgrid: false,
    title: { text: X_TITLES[x], standoff: 6, font: text },
    tickformat: tickFormat(x !== "epochs" && width < narrowPlotPx()),
    nticks: Math.max(3, Math.floor(width / 90)),
    ...(log && to / from > 200 ? { dtick: 1 } : {}),
  };
}

/**
 * @param {[number, number]} span
 * @param {Size} inner
 * @param {SeriesColours} colours
 * @param {Font} text
 */
const yAxis = (span, { height }, colours, text) => ({
  ...axis(colours, text),
  range: span,
  fixedrange: true,
  tickformat: tickFormat(span[1] >= MANY),
  nticks: Math.max(3, Math.floor(height / 55)),
});

/** @param {number} goal */
const goalText = (goal) => `below ${goal.toFixed(2)}`;

/**
 * The label of the goal, above or below its line.
 *
 * @param {GoalPlace | null} place null: none.
 * @param {Size} inner
 * @param {Font} text
 */
const goalLabel = (place, inner, text) =>
  place === null
    ? []
    : [
        {
          text: goalText(place.goal),
          xref: "paper",
          x: place.right / inner.width,
          xanchor: "right",
          y: place.goal,
          yanchor: place.isAbove ? "bottom" : "top",
          showarrow: false,
          borderpad: 0,
          font: text,
        },
      ];

/**
 * The space of the goal's label: at the right end beside the markers, or further to the left if a
 * line is in the way there.
 *
 * @param {number} goal
 * @param {Line[]} drawnLines
 * @param {Pick<LabelFrame, "kind" | "view" | "span" | "inner">} frame
 * @returns {GoalPlace}
 */
function placeOfGoal(goal, drawnLines, { kind, view, span, inner }) {
  const toValue = toX(kind, view, inner.width);
  const toPixel = pixelsOf(span, inner);
  const textWidth = goalText(goal).length * LABEL_PX * CHARACTER_EM;
  const places = GOAL_ENDS.flatMap((share) => {
    const right = inner.width * share - BESIDE_MARKERS_PX;
    const left = right - textWidth;
    return [true, false].map((isAbove) => ({
      ...{ goal, left, right, isAbove },
      pixel: toPixel(goal) + (isAbove ? -LINE_PX / 2 : LINE_PX / 2),
      apart: APART_PX,
    }));
  });
  const isFree = (/** @type {TakenSpace} */ { left, right, pixel }) =>
    pixel >= LINE_PX / 2 &&
    pixel <= inner.height - LINE_PX / 2 &&
    spansOf(drawnLines, null, { left, right }, toValue).every(isBeside(pixel, toPixel));
  return places.find(isFree) ?? places[0];
}

/**
 * A map from losses to pixels of the plot.
 *
 * @param {[number, number]} span
 * @param {Size} inner
 * @returns {(y: number) => number}
 */
const pixelsOf = (span, inner) => (y) => ((span[1] - y) / (span[1] - span[0])) * inner.height;

/**
 * Whether a line, of which the least and the greatest value are given, leaves a row of text free.
 *
 * @param {number} pixel the middle of the row.
 * @param {(y: number) => number} toPixel
 */
const isBeside = (pixel, toPixel) => (/** @type {number[]} */ [least, greatest]) =>
  toPixel(least) < pixel - LINE_PX / 2 - LINE_GAP_PX ||
  toPixel(greatest) > pixel + LINE_PX / 2 + LINE_GAP_PX;

/**
 * The space of a label in pixels: its ends, its middle, and the least distance of another middle.
 *
 * @typedef {{left: number, right: number, pixel: number, apart: number}} TakenSpace
 *
 * @typedef {TakenSpace & {goal: number, isAbove: boolean}} GoalPlace above its line, or below it.
 */

/**
 * @typedef {Object} LabelFrame
 * @property {Scale} kind
 * @property {[number, number]} view
 * @property {[number, number]} span
 * @property {PixelScale} scale
 * @property {Size} inner
 * @property {number} marginRight
 * @property {number | null} shownGoal null if its line is not in the plot.
 * @property {GoalPlace | null} goalPlace null if it has no label.
 */

/**
 * The names of the runs at the ends of their lines, without overlaps, shortened to fit.
 *
 * @param {Line[]} pieces
 * @param {Line[]} drawnLines all lines, which a label must not cover.
 * @param {LabelFrame} frame
 * @param {SeriesColours} colours
 * @param {Font} text
 */
function labels(pieces, drawnLines, frame, colours, text) {
  const { kind, view, span, scale, inner, marginRight, shownGoal, goalPlace } = frame;
  const toValue = toX(kind, view, inner.width);
  const toPixel = pixelsOf(span, inner);
  /** @type {TakenSpace[]} */
  const taken = goalPlace === null ? [] : [goalPlace];
  return pieces
    .flatMap((piece) => {
      const end = lastInView(piece, view, span[1]);
      return end ? [{ piece, end }] : [];
    })
    .sort((a, b) => b.end[1] - a.end[1])
    .flatMap(({ piece, end: [x, y] }) => {
      // In the right margin there is space below; within the plot other lines are in the way.
      const beside = scale(x) + MARKER_GAP_PX > inner.width * 0.94;
      const left = Math.max(scale(x) + MARKER_GAP_PX, beside ? inner.width + LINE_GAP_PX : 0);
      const space = inner.width + marginRight - left;
      // A line that leaves the plot at the top is named there.
      const above = toPixel(y) < 0 ? "↑ " : "";
      const name = above + fitting(piece.name, space - widthOf(above, text.family), text.family);
      const right = left + widthOf(name, text.family);
      const bottom = inner.height + (beside ? LINE_PX * 2 : 0);
      const box = { left, right, bottom, most: LINE_PX * (beside ? 8 : 3) };
      const spans = spansOf(drawnLines, piece, box, toValue);
      if (shownGoal !== null && left < inner.width) spans.push([shownGoal, shownGoal]);
      const isFree = (/** @type {number} */ row) => spans.every(isBeside(row, toPixel));
      const pixel = freeRow(Math.max(toPixel(y), 0), box, taken, isFree);
      if (pixel === null) return [];
      taken.push({ left, right, pixel, apart: APART_PX });
      const label = {
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
        borderpad: 0,
        font: { ...text, size: LABEL_PX, color: colours.series[piece.slot] },
      };
      return [label];
    });
}

const measure = /** @type {OffscreenCanvasRenderingContext2D} */ (
  new OffscreenCanvas(1, 1).getContext("2d")
);

/**
 * The width of a label in pixels.
 *
 * @param {string} name
 * @param {string} family
 */
function widthOf(name, family) {
  measure.font = `${LABEL_PX}px ${family}`;
  return measure.measureText(name).width;
}

/** What follows the name of a group, and tells nothing apart; see groups/group-run.js. */
const SEEDS = / × \d+ seeds$/;

/**
 * A name, shortened to a width in pixels.
 *
 * @param {string} name
 * @param {number} width
 * @param {string} family
 */
function fitting(name, width, family) {
  const core = widthOf(name, family) > width ? name.replace(SEEDS, "") : name;
  let length = Array.from(core).length;
  let short = core;
  while (widthOf(short, family) > width && length > SHORTEST) {
    length -= 1;
    short = shorten(core, length);
  }
  return short;
}

/**
 * The row nearest to `wanted` without another label or line; null if there is none.
 *
 * @param {number} wanted in pixels.
 * @param {{left: number, right: number, bottom: number, most: number}} box `most` is the greatest
 *   distance from `wanted`.
 * @param {TakenSpace[]} taken
 * @param {(pixel: number) => boolean} isFree whether no line is in a row.
 */
function freeRow(wanted, { left, right, bottom, most }, taken, isFree) {
  const near = taken.filter((other) => other.left < right && other.right > left);
  const free = (/** @type {number} */ pixel) =>
    near.every((other) => Math.abs(other.pixel - pixel) >= other.apart) &&
    isFree(pixel);
  for (let off = 0; off < most; off += 1) {
    for (const pixel of [wanted + off, wanted - off]) {
      if (pixel >= 0 && pixel <= bottom && free(pixel)) return pixel;
    }
  }
  return null; // the list of runs identifies it by colour, dash and marker
}

/**
 * The least and the greatest value of each other line within the width of a box.
 *
 * @param {Line[]} pieces
 * @param {Line | null} own
 * @param {{left: number, right: number}} box
 * @param {(pixel: number) => number} toValue
 */
function spansOf(pieces, own, { left, right }, toValue) {
  const [from, to] = [toValue(left), toValue(right)];
  return pieces
    .filter((piece) => piece !== own)
    .flatMap((piece) => {
      const { x, y } = piece;
      const inside = y.filter((_, i) => x[i] > from && x[i] < to);
      const ys = [yAt(piece, from), yAt(piece, to), ...inside].filter((each) => each !== null);
      if (!ys.length) return [];
      return [[ys.reduce((a, b) => Math.min(a, b)), ys.reduce((a, b) => Math.max(a, b))]];
    });
}

/**
 * The last point of a line in the plot, or the first one after it where the line leaves the plot at
 * the top.
 *
 * @param {Points} piece
 * @param {[number, number]} view
 * @param {number} top
 * @returns {[number, number] | null}
 */
function lastInView({ x, y }, [from, to], top) {
  const last = x.findLastIndex((each) => each >= from && each <= to);
  if (last < 0) return null;
  const below = y[last] > top ? y.findLastIndex((each, i) => i < last && each <= top) : last;
  const end = y[last] > top ? below + 1 : last;
  return [x[end], y[end]];
}

/**
 * A name without its middle, since names often have the same beginning.
 *
 * @param {string} name
 * @param {number} length
 */
export function shorten(name, length) {
  const characters = Array.from(name);
  if (characters.length <= length) return name;
  const kept = Math.max(length - 1, 3);
  const end = Math.ceil(kept / 2);
  const [first, last] = [characters.slice(0, kept - end), characters.slice(-end)];
  return `${first.join("").trimEnd()}…${last.join("").trimStart()}`;
}
