/**
 * The geometry of the chart: from updates and losses to pixels, and back.
 *
 * Results are memoized, so they are computed once for each state and size.
 */

import { textScaled } from "../lib/dom.js";
import { xAxisOf, roundSpan, unitOf } from "./axes.js";
import { between, lastUpdate, lossSpan, mergeByCell, slicePoints, splice } from "./loss-curve.js";
import { memoize } from "../lib/memoize.js";
import { mergeOwn, ownInView } from "./own-losses.js";
import { seedCurve } from "./seed-band.js";
import { validationInView, lowestLoss } from "./validation-loss.js";

/** Whether the window is so narrow for the text that the names of the lines are in the plot. */
export const NAMES_INSIDE = innerWidth < textScaled(320);

/** Space around the plot in pixels; usually the names of the lines are on the right. */
export const MARGIN = {
  get l() {
    return textScaled(NAMES_INSIDE ? 34 : 44);
  },
  get r() {
    return textScaled(NAMES_INSIDE ? 14 : 72);
  },
  /** The readout may have two lines. */
  get t() {
    return textScaled(NAMES_INSIDE ? 40 : 30);
  },
  get b() {
    return textScaled(44);
  },
  pad: 0,
};

const LINE_CELL_PX = 0.5;
const LIMIT_DRAWN = 1400; // points of a line, however wide the screen
const BAND_CELL_PX = 3; // narrower cells would look like hatching
const APART_PX = 1; // losses that are at least this far apart are drawn one by one
const BAND_UPDATES = 4;
const STEP_PX = 8;
/** @type {[number, number]} */
const EMPTY_SPAN = [1, 120];

/**
 * The curve to draw: the run's own, or the one with the chosen smoothing.
 *
 * @param {WatchState} state
 */
export const drawnCurve = ({ curve, smoothed }) => smoothed?.curve ?? curve;

/**
 * The curve on which marks are placed. Without smoothing, single losses would scatter the marks.
 *
 * @param {WatchState} state
 */
export const markedCurve = (state) => (state.smoothing === "0" ? state.curve : finestCurve(state));

/** The drawn curve, with the detail that was fetched for the zoom. */
export const finestCurve = memoize(
  (/** @type {WatchState} */ state) => [drawnCurve(state), state.detail],
  (state) => (state.detail ? splice(drawnCurve(state), state.detail) : drawnCurve(state)),
);

/** The x axis: updates, epochs or seconds. */
export const xAxis = memoize(
  (/** @type {WatchState} */ state) => [
    state.xAxis,
    finestCurve(state),
    state.run?.updates_per_epoch,
  ],
  (state) => xAxisOf(state.xAxis, finestCurve(state), state.run?.updates_per_epoch ?? 1),
);

/**
 * The unit in which losses are shown.
 *
 * @param {WatchState} state
 */
export const lossUnit = (state) => unitOf(state.unit, state.run?.spec.sequence_length ?? 1);

/**
 * The span of the x axis: the zoom, or from the start to the live end.
 *
 * @param {WatchState} state
 * @returns {[number, number]}
 */
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

/**
 * The updates in view: the zoom, or from the start to the live end.
 *
 * @param {WatchState} state
 * @returns {[number, number]}
 */
export function viewRange(state) {
  if (state.range) return state.range;
  const { toUpdate } = xAxis(state);
  const [from, to] = xSpan(state);
  return [toUpdate(from), toUpdate(to)];
}

/**
 * A map from values between `from` and `to` to pixels between 0 and `length`, and back.
 *
 * @param {number[]} span
 * @param {number} length
 * @param {boolean} log
 */
function pixelScale([from, to], length, log) {
  if (log) {
    const start = Math.log(from);
    const perPixel = (Math.log(to) - start) / length;
    return {
      toPixel: (/** @type {number} */ value) =>
        (Math.log(Math.max(value, from / 1e3)) - start) / perPixel,
      toValue: (/** @type {number} */ pixel) => Math.exp(start + pixel * perPixel),
    };
  }
  const perPixel = (to - from) / length;
  return {
    toPixel: (/** @type {number} */ value) => (value - from) / perPixel,
    toValue: (/** @type {number} */ pixel) => from + pixel * perPixel,
  };
}

/**
 * The scales of a state in a chart of `size`, and the points in view.
 *
 * @type {(state: WatchState, size: Size) => ChartScales} `size` is that of the whole chart.
 */
export const scalesOf = memoize(
  (state, size) => [
    ...[finestCurve(state), state.validation, state.range, state.scale, state.xAxis, state.unit],
    ...[state.lossScale, state.run?.updates_per_epoch, state.run?.spec.sequence_length],
    ...[state.ownLosses, state.groupLoss, state.seeds, size.width, size.height],
  ],
  (state, size) => {
    const width = Math.max(size.width - MARGIN.l - MARGIN.r, 10);
    const height = Math.max(size.height - MARGIN.t - MARGIN.b, 10);
    const logX = state.scale === "log";
    const logY = state.lossScale === "log";
    const axis = xAxis(state);
    const unit = lossUnit(state);
    const spanX = xSpan(state);
    const x = pixelScale(spanX, width, logX);
    const updateToPixel = (/** @type {number} */ update) => x.toPixel(axis.of(update));
    const range = viewRange(state);
    const points = between(finestCurve(state), ...range);
    const cell = Math.max(LINE_CELL_PX, width / LIMIT_DRAWN);
    const curve = mergeByCell(points, (update) => updateToPixel(update) / cell);
    const validation = validationInView(state.validation, ...range);
    const own = ownInView(state.ownLosses?.result.curve, ...range);
    const seeds = ownInView(seedCurve(state.groupLoss, state.seeds), ...range);
    const spanY = ySpan(curve, validation, [...own.smooth, ...inner(seeds, range)], unit, logY);
    const y = pixelScale(spanY, height, logY);
    return {
      ...{ size, width, height, xAxis: axis, unit, spanX, spanY, logX, logY, range },
      ...{ curve, validation, updateToPixel },
      own: mergeOwn(own, (update) => updateToPixel(update) / cell),
      ownBand: mergeOwn(own, (update) => updateToPixel(update) / BAND_CELL_PX),
      seeds: mergeOwn(seeds, (update) => updateToPixel(update) / BAND_CELL_PX),
      ...lossesInView(points, range[0], updateToPixel),
      pixelToUpdate: (pixel) => axis.toUpdate(x.toValue(pixel)),
      lossToPixel: (loss) => height - y.toPixel(unit.of(loss) ?? 0),
      pixelToLoss: (pixel) => unit.toNats(y.toValue(height - pixel)),
    };
  },
);

/**
 * The greatest distance, in pixels, by which anything on the chart moves when the run goes on and
 * nothing else changes. For a long run it is very small. If single losses replace a band, it is
 * infinite.
 *
 * @param {ChartScales} before
 * @param {ChartScales} now
 */
export function maxShift(before, now) {
  const ends = [before, now].map(({ curve }) => lastUpdate(curve));
  const [first, last] = [before, now].map(({ curve }) => curve.smooth.at(-1) ?? NaN);
  if (!Number.isFinite(first) || !Number.isFinite(last)) return Infinity;
  const [singles, singlesNow] = [before, now].map(
    ({ losses }) => losses.update.filter((update) => update <= ends[0]).length,
  );
  if (singles !== singlesNow) return Infinity;
  // Nothing on an axis moves further than its ends.
  const dx = [
    now.updateToPixel(ends[1]) - before.updateToPixel(ends[0]),
    now.updateToPixel(ends[0]) - before.updateToPixel(ends[0]),
  ];
  const dy = [
    ...before.spanY.map((value, i) => (value === now.spanY[i] ? 0 : Infinity)),
    now.lossToPixel(last) - now.lossToPixel(first),
  ];
  return Math.max(...[...dx, ...dy].map(Math.abs));
}

/**
 * Split a range of updates into `count` ranges of equal width on the screen.
 *
 * @param {WatchState} state
 * @param {number} from
 * @param {number} to
 * @param {number} count
 * @returns {[number, number][]} integer updates, both included.
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

/**
 * The reference losses in nats per sequence, greatest first.
 *
 * @param {Run} run
 * @param {ListedCorpus | undefined} corpus
 * @returns {{name: string, loss: number}[]}
 */
export function referenceLosses(run, corpus) {
  const entropy = corpus?.entropy;
  if (!entropy) return [];
  const characters = run.spec.sequence_length;
  const names = /** @type {const} */ (["uniform", "unigram", "bigram"]);
  return names.map((name) => ({ name, loss: entropy[name] * characters }));
}

/**
 * The losses to draw: single ones where a point is one update and there is space for them, and
 * elsewhere the band between the minimum and maximum of several.
 *
 * @param {Curve} points
 * @param {number} from
 * @param {(update: number) => number} updateToPixel
 * @returns {Pick<ChartScales, "losses" | "band">}
 */
function lossesInView(points, from, updateToPixel) {
  /** @type {ChartScales["losses"]} */
  const losses = { update: [], loss: [] };
  /** @type {ChartScales["band"]} */
  const band = [];
  let first = 0;
  /** Draw the points from `first` to before `end`, and go on there. */
  function draw(/** @type {number} */ end, /** @type {boolean} */ apart) {
    if (end === first) return;
    if (apart) {
      losses.update.push(...points.update.slice(first, end));
      losses.loss.push(...points.high.slice(first, end));
    } else {
      const start = Math.min(from, points.update[0]);
      const before = first ? points.update[first - 1] : Math.max(start, 0.5);
      band.push(...bandOutline(slicePoints(points, first, end), before, updateToPixel));
    }
    first = end;
  }
  const isApart = (/** @type {number} */ i) => {
    const update = points.update[i];
    const one = points.low[i] === points.high[i]; // several updates hardly have the same loss
    return one && updateToPixel(update) - updateToPixel(update - 1) >= APART_PX;
  };
  points.update.forEach((_, i) => {
    if (i > 0 && isApart(i) !== isApart(i - 1)) draw(i, isApart(i - 1));
  });
  const length = points.update.length;
  draw(length, length > 0 && isApart(length - 1));
  return { losses, band };
}

/**
 * The ends of the band of a group where the updates are in view.
 *
 * @param {OwnCurve} seeds
 * @param {[number, number]} range
 */
const inner = ({ update, low, high }, [from, to]) =>
  update.flatMap((each, i) => (each >= from && each <= to ? [low[i], high[i]] : []));

/**
 * The outline of the band between the minimum and maximum loss of each bucket, in pieces where a
 * bucket has no finite loss. A bucket that is wide on the screen is drawn as a step.
 *
 * @param {Curve} points
 * @param {number} from the update before the first bucket.
 * @param {(update: number) => number} updateToPixel
 * @returns {ChartScales["band"]}
 */
function bandOutline(points, from, updateToPixel) {
  const cells = mergeByCell(points, (update) => updateToPixel(update) / BAND_CELL_PX);
  const buckets = mergeByCell(cells, (update) => (update - 1) / BAND_UPDATES);
  /** @type {ChartScales["band"]} */
  const pieces = [];
  let start = from;
  let joined = false; // to the bucket before
  buckets.update.forEach((end, i) => {
    const [low, high] = [buckets.low[i], buckets.high[i]];
    if (low === null || high === null) {
      joined = false;
    } else {
      if (!joined) pieces.push({ update: [], low: [], high: [] });
      const piece = pieces[pieces.length - 1];
      const wide = updateToPixel(end) - updateToPixel(start) > STEP_PX;
      for (const update of wide || !joined ? [start, end] : [end]) {
        piece.update.push(update);
        piece.low.push(low);
        piece.high.push(high);
      }
      joined = true;
    }
    start = end;
  });
  return pieces;
}

/**
 * The span of losses to show, in `unit`: the smooth lines, most of the band, and the validation
 * loss since its lowest point.
 *
 * @param {Curve} curve
 * @param {ValidationLoss} validation
 * @param {number[]} others further losses to show.
 * @param {LossUnit} unit
 * @param {boolean} log
 * @returns {[number, number]}
 */
function ySpan(curve, validation, others, unit, log) {
  const round = (/** @type {number} */ low, /** @type {number} */ high) =>
    roundSpan(unit.of(low) ?? 0, unit.of(high) ?? 0, log);
  const span = lossSpan(curve);
  if (!span) return round(...EMPTY_SPAN);
  // The rise since the lowest point shows overfitting; where the loss began does not matter.
  const since = lowestLoss(validation)?.update ?? Infinity;
  const losses = validation.loss.flatMap((loss, i) =>
    loss !== null && validation.update[i] >= since ? [loss] : [],
  );
  losses.push(...others);
  return round(Math.min(span[0], ...losses), Math.max(span[1], ...losses));
}
