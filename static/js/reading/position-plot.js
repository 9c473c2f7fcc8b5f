/** The chart of the loss by position for Plotly, and sentences about it. Pure functions. */

import { textScaled } from "../lib/dom.js";
import { unitOf } from "../curve/axes.js";
import { bookPagesBefore, bookPageCount } from "../lib/book-pages.js";
import { axis, baseLayout, tickFormat } from "../lib/plotly-theme.js";
import * as format from "../lib/format.js";

export const POSITION_MARGIN = {
  ...{ l: textScaled(40), r: textScaled(20), t: textScaled(48), b: textScaled(40) },
  pad: 0,
};

const LABEL_PX = textScaled(11.5);

/** The x axis: pages of the corpus, or with several streams the share of each stream's part. */
export function axisOf(run) {
  const part = run.updates_per_epoch * run.spec.sequence_length;
  if (run.spec.batch_size > 1) {
    return { of: (position) => (100 * position) / part, range: [0, 100], title: "% of each part" };
  }
  const last = Math.min(bookPagesBefore(part) + 1, bookPageCount(run.corpus_characters) + 1);
  return { of: (position) => bookPagesBefore(position) + 1, range: [1, last], title: "page" };
}

const BIN_PX = 3; // narrower bins would look like hatching

/** Merge bins until each is some pixels wide; a merged bin has the mean of its losses. */
export function coarsen(lossByPosition, width) {
  const { positions, rows } = lossByPosition;
  const together = Math.ceil((positions.length * BIN_PX) / Math.max(width, 1));
  if (together < 2) return lossByPosition;
  const starts = [...positions.keys()].filter((i) => i % together === 0);
  const mean = (losses) => {
    const known = losses.filter(Number.isFinite);
    return known.length ? known.reduce((a, b) => a + b) / known.length : null;
  };
  return {
    ...lossByPosition,
    positions: starts.map((i) => positions[i]),
    rows: rows.map((row) => ({
      ...row,
      loss: starts.map((i) => mean(row.loss.slice(i, i + together))),
    })),
  };
}

/** The edges of the bins along the axis. */
function edgesOf(run, positions) {
  const { of } = axisOf(run);
  return [...positions, run.updates_per_epoch * run.spec.sequence_length].map(of);
}

/** The bin at a value of the axis. */
export function binAt(run, positions, place) {
  const edges = edgesOf(run, positions);
  const next = edges.findIndex((edge) => edge > place);
  return Math.min(Math.max(next - 1, 0), positions.length - 1);
}

/** The middle of a bin on the axis. */
export function middleOf(run, positions, bin) {
  const edges = edgesOf(run, positions);
  return (edges[bin] + edges[bin + 1]) / 2;
}

/** The first and last update that an epoch spends in a bin. */
export function updatesIn({ updates_per_epoch: perEpoch, spec }, positions, bin, epoch) {
  const place = (i) => (i < positions.length ? positions[i] / spec.sequence_length : perEpoch);
  const before = (epoch - 1) * perEpoch;
  return [before + place(bin) + 1, before + place(bin + 1)];
}

/**
 * The position in the corpus that an update reads. In shuffled order it is known only of the
 * update whose text is shown; otherwise it is null.
 */
export function positionOfUpdate({ run, reading }, update) {
  const { updates_per_epoch: perEpoch, spec } = run;
  if (spec.order === "sequential") return ((update - 1) % perEpoch) * spec.sequence_length;
  return reading?.update === update ? reading.position : null;
}

/** The epochs that have reached a bin, by ascending loss. */
export const epochsAt = (rows, bin) =>
  rows
    .filter(({ loss }) => Number.isFinite(loss[bin]))
    .sort((a, b) => a.loss[bin] - b.loss[bin])
    .map(({ epoch }) => epoch);

/** The epoch whose line is nearest to a loss in a bin; the newest if none has reached the bin. */
export function nearestEpoch(rows, bin, loss) {
  const distance = ({ loss: losses }) =>
    Number.isFinite(losses[bin]) ? Math.abs(losses[bin] - loss) : Infinity;
  return rows.toReversed().reduce((a, b) => (distance(b) < distance(a) ? b : a)).epoch;
}

/** The unit of the losses: the same as that of the curve. */
export const positionUnitOf = ({ unit, run }) => unitOf(unit, run.spec.sequence_length);

/** The span of losses to show. The first epoch is left out, since it starts untrained. */
function spanOf(rows) {
  const later = rows.filter(({ epoch }) => epoch > 1);
  const losses = (later.length ? later : rows).flatMap(({ loss }) => loss).filter(Number.isFinite);
  if (!losses.length) return [0, 120];
  const least = losses.reduce((a, b) => Math.min(a, b));
  const greatest = losses.reduce((a, b) => Math.max(a, b));
  const padding = Math.max(greatest - least, greatest / 100) * 0.06;
  return [least - padding, greatest + padding];
}

/** The width of the plot within a chart, in pixels. */
export const plotWidthOf = (width) => width - POSITION_MARGIN.l - POSITION_MARGIN.r;

/**
 * @param {WatchState} state with `lossByPosition` at the resolution to draw.
 * @param {Colours} colours see lib/theme.js.
 * @param {Size} size of the whole chart in pixels.
 * @param {string} font
 * @param {number | null} hoveredEpoch
 */
export function positionPlotOf(state, colours, size, font, hoveredEpoch) {
  const { run, lossByPosition } = state;
  const { of } = positionUnitOf(state);
  const edges = edgesOf(run, lossByPosition.positions);
  const x = lossByPosition.positions.map((_, i) => (edges[i] + edges[i + 1]) / 2);
  const rows = lossByPosition.rows.map((row) => ({ ...row, loss: row.loss.map(of) }));
  const newest = rows.length - 1;
  const line = ({ epoch, loss }, i) => ({
    type: "scatter",
    mode: "lines",
    x,
    y: loss,
    hoverinfo: "skip",
    line: strokeOf(epoch === hoveredEpoch, newest - i, colours),
    opacity:
      i === newest || epoch === hoveredEpoch ? 1 : Math.max(0.85 - 0.15 * (newest - i), 0.25),
  });
  // The newest and the hovered epoch are on top.
  const order = [...rows.keys()].sort(
    (a, b) => rankOf(rows[a], hoveredEpoch) - rankOf(rows[b], hoveredEpoch),
  );
  const losses = spanOf(rows);
  return {
    data: order.map((i) => line(rows[i], i)),
    layout: layout(run, verticalLines(state, size), losses, colours, size, {
      family: font,
      size: LABEL_PX,
      color: colours.soft,
    }),
    losses,
  };
}

const rankOf = ({ epoch }, hoveredEpoch) => (epoch === hoveredEpoch ? Infinity : epoch);

function strokeOf(isPointed, age, colours) {
  if (isPointed) return { color: colours.accent, width: 2.2 };
  return age === 0 ? { color: colours.ink, width: 1.8 } : { color: colours.soft, width: 1.2 };
}

const CHAPTERS_APART_PX = 16; // closer lines would look like a pattern

/** The vertical lines: the starts of chapters, and the position of the pinned update. */
function verticalLines(state, size) {
  const { run, corpora, pinned } = state;
  const axis = axisOf(run);
  const single = run.spec.batch_size === 1; // with several streams, each is in another chapter
  const all = (single && corpora[run.corpus]?.headings) || [];
  const place = pinned === null ? null : positionOfUpdate(state, Math.max(pinned, 1));
  const apart = all.length * CHAPTERS_APART_PX < plotWidthOf(size.width);
  return {
    chapters: apart ? all.map(([at]) => axis.of(at)).filter((x) => x < axis.range[1]) : [],
    pinned: place === null ? [] : [axis.of(place)],
  };
}

function layout(run, lines, losses, colours, size, text) {
  const position = axisOf(run);
  const plain = { ...axis(colours, text), fixedrange: true };
  const title = lines.chapters.length ? `${position.title} (lines: chapters)` : position.title;
  const upright = (x, line) => ({ type: "line", x0: x, x1: x, yref: "paper", y0: 0, y1: 1, line });
  return {
    ...size,
    margin: POSITION_MARGIN,
    ...baseLayout(text),
    dragmode: false,
    xaxis: {
      ...plain,
      range: position.range,
      showgrid: false,
      tickformat: tickFormat(false),
      nticks: Math.max(3, Math.floor(size.width / textScaled(90))),
      title: { text: title, font: text, standoff: 4 },
    },
    yaxis: {
      ...plain,
      range: losses,
      tickformat: tickFormat(false),
      nticks: Math.max(3, Math.floor(size.height / textScaled(70))),
    },
    shapes: [
      ...lines.chapters.map((x) => ({
        ...upright(x, { color: colours.line, width: 1 }),
        layer: "below",
      })),
      ...lines.pinned.map((x) =>
        upright(x, { color: colours.accent, width: 1.2, dash: "3px,3px" }),
      ),
    ],
  };
}

/** "epochs 1 and 3 to 7": the epochs in view. */
export function epochsSentence(rows) {
  const epochs = rows.map(({ epoch }) => epoch);
  const [newest] = epochs.slice(-1);
  if (epochs.length < 2) return `epoch ${format.count(newest)}`;
  const older = epochs.length > 2 ? `${format.count(epochs[1])} to ` : "";
  const separate = epochs[1] > 2 || epochs.length === 2;
  const range = `${separate ? `1 and ${older}` : "1 to "}${format.count(newest)}`;
  return `epochs ${range}, the newest emphasized`;
}

const SIGNIFICANT_ERRORS = 2; // standard errors

/** A summary of the variance components in one or two sentences. */
export function varianceSentence({ epochs, share, share_error: error, start, unavailable }) {
  if (share === null || share === undefined) return unavailable ?? "";
  const compared = `In epochs ${format.count(epochs[0])} to ${format.count(epochs.at(-1))}, `;
  const isSignificant = share > SIGNIFICANT_ERRORS * error && share >= 0.005;
  const explained = isSignificant
    ? `${format.share(share)} of the variation of the loss is explained by the page.`
    : "the page explains none of the variation of the loss.";
  return `${compared}${explained} ${startSentence(start)}`;
}

function startSentence({ updates, loss, error }) {
  const first = updates === 100 ? "hundred" : format.count(updates);
  const by = `${format.loss(Math.abs(loss))} nats ${loss > 0 ? "above" : "below"} that of the rest`;
  const about = `The first ${first} updates of an epoch have a loss ${by}`;
  const give = `± ${format.loss(error)}`;
  return Math.abs(loss) > SIGNIFICANT_ERRORS * error
    ? `${about} (${give}).`
    : `${about}, which is within the usual variation of ${first} updates (${give}).`;
}
