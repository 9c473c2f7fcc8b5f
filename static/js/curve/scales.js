/**
 * Where things stand on the chart: from updates and losses to pixels, and back.
 *
 * All of it is worked out once for a state and a size, however many ask for it.
 */

import { xAxisOf, roundSpan, unitOf } from "./axes.js";
import { between, lastUpdate, lossSpan, mergeByCell, splice } from "./loss-curve.js";
import { memoize } from "../lib/memoize.js";
import { validationInView, lowestLoss } from "./validation-loss.js";

/** Space around the plotting area, in pixels; the labels of the reference lines stand right. */
export const MARGIN = { l: 44, r: 62, t: 30, b: 28, pad: 0 };

const LINE_CELL_PX = 0.5;
const LIMIT_DRAWN = 1400; // points of a line, however wide the screen
const BAND_CELL_PX = 3; // wide enough for the band to be a band, and not a hatching
const BAND_UPDATES = 8;
const STEP_PX = 8;
const EMPTY_SPAN = [1, 120];

/** The curve that is drawn: the run's own, or the one that is smoothed as the reader asked. */
export const drawnCurve = ({ curve, smoothed }) => smoothed?.curve ?? curve;

/** The curve on which marks stand: single losses, not smoothed, would throw them about. */
export const markedCurve = (state) =>
  state.smoothing === "0" ? state.curve : finestCurve(state);

/** The points held, with those that the reader's zoom fetched. */
export const finestCurve = memoize(
  (state) => [drawnCurve(state), state.detail],
  (state) => (state.detail ? splice(drawnCurve(state), state.detail) : drawnCurve(state)),
);

/** What stands across: updates, epochs or seconds. */
export const xAxis = memoize(
  (state) => [state.xAxis, finestCurve(state), state.run?.updates_per_epoch],
  (state) => xAxisOf(state.xAxis, finestCurve(state), state.run?.updates_per_epoch ?? 1),
);

/** The unit of the loss as it is shown. */
export const lossUnit = (state) => unitOf(state.unit, state.run?.spec.sequence_length ?? 1);

/** What the axis across shows: the reader's zoom, or from the start to the live end. */
function xSpan(state) {
  const axis = xAxis(state);
  const log = state.scale === "log";
  const start = log ? axis.logStart : 0;
  if (state.range) {
    const [from, to] = state.range.map(axis.of);
    return [Math.max(from, start * 0.5), Math.max(to, from + 1e-9)];
  }
  const end = Math.max(axis.of(lastUpdate(drawnCurve(state))), axis.minSpan);
  return log ? [start, Math.max(end * 1.06, start * 2)] : [0, end * 1.015];
}

/** The updates in view: the reader's zoom, or from the start to the live end. */
export const viewRange = (state) => state.range ?? xSpan(state).map(xAxis(state).toUpdate);

/** A map from values between `from` and `to` to pixels of a length, and back. */
function pixelScale([from, to], length, log) {
  if (log) {
    const start = Math.log(from);
    const perPixel = (Math.log(to) - start) / length;
    return {
      toPixel: (value) => (Math.log(Math.max(value, from / 1e3)) - start) / perPixel,
      toValue: (pixel) => Math.exp(start + pixel * perPixel),
    };
  }
  const perPixel = (to - from) / length;
  return {
    toPixel: (value) => (value - from) / perPixel,
    toValue: (pixel) => from + pixel * perPixel,
  };
}

/**
 * The picture of a state in a chart of `size`.
 *
 * @param {Object} state
 * @param {{width: number, height: number}} size of the whole chart, in pixels.
 * @returns {Object} `xAxis` and `unit` (see curve/axes.js), `spanX` and `spanY` in their values, `logX`
 *   and `logY`; `width` and `height` of the plot; `curve`, `band` and `validation` in view, losses
 *   in nats a sequence; and maps between updates or losses and pixels of the plot.
 */
export const scalesOf = memoize(
  (state, size) => [
    ...[finestCurve(state), state.validation, state.range, state.scale, state.xAxis, state.unit],
    ...[state.lossScale, state.run?.updates_per_epoch, state.run?.spec.sequence_length],
    ...[size.width, size.height],
  ],
  (state, size) => {
    const width = Math.max(size.width - MARGIN.l - MARGIN.r, 10);
    const height = Math.max(size.height - MARGIN.t - MARGIN.b, 10);
    const [logX, logY] = [state.scale === "log", state.lossScale === "log"];
    const [axis, unit, spanX] = [xAxis(state), lossUnit(state), xSpan(state)];
    const x = pixelScale(spanX, width, logX);
    const updateToPixel = (update) => x.toPixel(axis.of(update));
    const range = viewRange(state);
    const points = between(finestCurve(state), ...range);
    const cell = Math.max(LINE_CELL_PX, width / LIMIT_DRAWN);
    const curve = mergeByCell(points, (update) => updateToPixel(update) / cell);
    const validation = validationInView(state.validation, ...range);
    const spanY = ySpan(curve, validation, unit, logY);
    const y = pixelScale(spanY, height, logY);
    return {
      ...{ size, width, height, xAxis: axis, unit, spanX, spanY, logX, logY, range },
      ...{ curve, validation, updateToPixel },
      band: bandOutline(curve, range[0], updateToPixel),
      pixelToUpdate: (pixel) => axis.toUpdate(x.toValue(pixel)),
      lossToPixel: (loss) => height - y.toPixel(unit.of(loss)),
    };
  },
);

/**
 * How far, in pixels, anything on the curve stands from where it stood in the picture before, when
 * the run has gone on since and nothing else is other. Where a run is long, that is very little.
 */
export function maxShift(before, now) {
  const ends = [before, now].map(({ curve }) => lastUpdate(curve));
  const losses = [before, now].map(({ curve }) => curve.smooth.at(-1));
  if (!losses.every(Number.isFinite)) return Infinity;
  // Nothing on an axis moves as far as its ends do.
  const dx = [
    now.updateToPixel(ends[1]) - before.updateToPixel(ends[0]),
    now.updateToPixel(ends[0]) - before.updateToPixel(ends[0]),
  ];
  const dy = [
    ...before.spanY.map((value, i) => (value === now.spanY[i] ? 0 : Infinity)),
    now.lossToPixel(losses[1]) - now.lossToPixel(losses[0]),
  ];
  return Math.max(...[...dx, ...dy].map(Math.abs));
}

/**
 * The updates in view, from `from` to `to`, cut into `count` stretches of one width on the screen.
 *
 * @returns {[number, number][]} whole updates, both included.
 */
export function splitRange(state, from, to, count) {
  const axis = xAxis(state);
  const { toValue } = pixelScale([from, to].map(axis.of), count, state.scale === "log");
  const edges = Array.from({ length: count - 1 }, (_, i) =>
    Math.round(axis.toUpdate(toValue(i + 1))),
  ).filter((edge) => edge > from && edge < to);
  const ends = [...new Set(edges), to];
  return ends.map((end, i) => [i ? ends[i - 1] + 1 : from, end]);
}

/** The reference losses, in nats a sequence, with their names. */
export function referenceLosses(run, corpus) {
  const entropy = corpus?.entropy;
  if (!entropy) return [];
  const characters = run.spec.sequence_length;
  return ["uniform", "unigram", "bigram"].map((name) => ({
    name,
    loss: entropy[name] * characters,
  }));
}

/**
 * The outline of the band, from the least to the greatest loss of each stretch of updates.
 *
 * A single update has one loss, and so no height. Where a logarithmic axis or the reader's zoom
 * draws single ones apart, some of them together make the band, their extremes kept, and what is
 * wide on the screen is drawn as the step that it is.
 *
 * @returns {{update: number[], low: number[], high: number[]}}
 */
function bandOutline(curve, from, updateToPixel) {
  const cells = mergeByCell(curve, (update) => updateToPixel(update) / BAND_CELL_PX);
  const buckets = mergeByCell(cells, (update) => (update - 1) / BAND_UPDATES);
  const outline = { update: [], low: [], high: [] };
  let start = Math.max(Math.min(from, buckets.update[0]), 0.5);
  buckets.update.forEach((end, i) => {
    const wide = updateToPixel(end) - updateToPixel(start) > STEP_PX;
    for (const update of wide ? [start, end] : [end]) {
      outline.update.push(update);
      outline.low.push(buckets.low[i]);
      outline.high.push(buckets.high[i]);
    }
    start = end;
  });
  return outline;
}

/**
 * The least and greatest loss to show, in `unit`: those of the smooth line and of the bulk of the
 * band, and of what the validation loss has risen to since it was lowest.
 */
function ySpan(curve, validation, unit, log) {
  const span = lossSpan(curve);
  if (!span) return roundSpan(...EMPTY_SPAN.map(unit.of), log);
  // From its lowest point on: how far it rises again matters, not where it began.
  const since = lowestLoss(validation)?.update ?? Infinity;
  const risen = (loss, i) => loss !== null && validation.update[i] >= since;
  const losses = validation.loss.filter(risen);
  const low = Math.min(span[0], ...losses);
  const high = Math.max(span[1], ...losses);
  return roundSpan(unit.of(low), unit.of(high), log);
}
