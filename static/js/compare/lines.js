/** The runs in view as lines on common axes. Pure functions. */

import { slicePoints, splice } from "../curve/loss-curve.js";
import { bandCurve } from "../curve/seed-band.js";
import { goalOf, metricInView, unitsPerNat, visibleRuns } from "./reducers.js";

/**
 * The line of a run.
 *
 * @typedef {Object} Line
 * @property {string} id
 * @property {number} slot
 * @property {string} name
 * @property {number[]} x ascending, in updates, epochs or seconds.
 * @property {number[]} y smooth losses in the chosen unit.
 * @property {number[]} update the update of each point.
 * @property {number | null} diverged the update since which the training has diverged.
 * @property {[number, number] | null} fork the point where it leaves its parent's line, if in view.
 */

/** @typedef {{x: number[], y: number[]}} Points */

/**
 * @param {CompareState} state
 * @returns {Line[]} the runs in view; the part that a fork shares with its parent is drawn once.
 */
export function linesOf(state) {
  const shown = visibleRuns(state);
  const fullLines = new Map(shown.map((each) => [each.id, fullLine(state, each)]));
  return shown.map(({ id, run }) => {
    const line = /** @type {Line} */ (fullLines.get(id));
    const fork = run.forked_from;
    const parent = fork && fullLines.get(fork.run);
    return parent ? cutAtFork(line, parent, fork.update) : line;
  });
}

/**
 * @param {CompareState} state
 * @param {ComparedRun} compared
 * @returns {Line}
 */
const fullLine = (state, compared) => {
  const { id, slot, run, curve } = compared;
  const points = metricInView(state)
    ? metricPoints(state, compared)
    : pointsOf(state.x, state.y, run, curve, state.details[id]);
  return { ...points, id, slot, name: run.name, diverged: run.diverged_since, fork: null };
};

/** @type {CurvePart} */
const NO_POINTS = { update: [], smooth: [], low: [], high: [] };

/**
 * The points of the metric in view: the mean of each bucket, of a group that of its runs.
 *
 * @param {CompareState} state
 * @param {ComparedRun} compared
 */
function metricPoints(state, { id, run, curve }) {
  const found = state.metricCurves[id] ?? NO_POINTS;
  const seconds = state.x === "seconds" ? secondsAt(curve, found.update) : [];
  return pointsOf(state.x, null, run, { ...found, seconds }, undefined);
}

/**
 * The user's losses beside each run that has some; there are none over the time of training, which
 * is not known for them.
 *
 * @param {CompareState} state
 * @returns {(Points & {update: number[], slot: number})[]}
 */
export const ownLinesOf = (state) =>
  state.x === "seconds" || metricInView(state)
    ? []
    : visibleRuns(state).flatMap(({ id, slot, run }) => {
        const own = state.own[id];
        if (!own) return [];
        const seconds = own.update.map(() => null);
        const curve = /** @type {Curve} */ ({ ...own, seconds });
        return [{ ...pointsOf(state.x, state.y, run, curve, undefined), slot }];
      });

/**
 * The bands of the groups in view, around the lines of their means.
 *
 * @typedef {{slot: number, x: number[], low: number[], high: number[]}} Band
 * @param {CompareState} state
 * @returns {Band[]}
 */
export const bandsOf = (state) =>
  visibleRuns(state).flatMap(({ id, slot, run, curve, group }) => {
    const metric = metricInView(state);
    const whole = metric ? state.metricCurves[id]?.band : group?.loss;
    if (!group || !whole || state.seeds === "off") return [];
    const finest = finerBand(whole, metric ? undefined : state.details[id], state.seeds);
    const needed = metric && state.x === "seconds";
    const seconds = needed ? secondsAt(curve, finest.update) : finest.seconds;
    const xs = xsOf(state.x, run, { ...finest, seconds });
    const factor = metric ? 1 : unitsPerNat(state.y, run);
    /** @type {Band} */
    const band = { slot, x: [], low: [], high: [] };
    finest.update.forEach((_, i) => {
      const [x, low, high] = [xs[i], finest.low[i], finest.high[i]];
      if (x === null || low === null || high === null) return;
      band.x.push(x);
      band.low.push(low * factor);
      band.high.push(high * factor);
    });
    return band.x.length > 1 ? [band] : [];
  });

/**
 * A band with the finer points of the zoomed range.
 *
 * @param {GroupBand} whole
 * @param {{from: number, band?: GroupBand} | undefined} detail
 * @param {string} seeds
 */
function finerBand(whole, detail, seeds) {
  const curve = slicePoints(bandCurve(whole, seeds), 0, whole.update.length);
  if (!detail?.band) return curve;
  return splice(curve, { ...bandCurve(detail.band, seeds), from: detail.from });
}

/**
 * The part of a band within a range.
 *
 * @param {Band} band
 * @param {[number, number]} range
 * @returns {Band}
 */
export function bandWithin({ slot, x, low, high }, range) {
  const lower = within({ x, y: low, update: x }, range);
  return { slot, x: lower.x, low: lower.y, high: within({ x, y: high, update: x }, range).y };
}

/**
 * The validation losses of the runs in view, if they are shown: as they were measured, since each
 * is a mean over much text. A fork starts at the last one that it shares with its parent in view.
 *
 * @param {CompareState} state
 * @returns {Line[]}
 */
export function validationLinesOf(state) {
  if (state.validation === "hidden" || metricInView(state)) return [];
  const shown = visibleRuns(state);
  return shown
    .map(({ id, slot, run, curve, validation: { update, loss } }) => {
      const seconds = state.x === "seconds" ? secondsAt(curve, update) : [];
      const measured = /** @type {Curve} */ ({ update, smooth: loss, seconds });
      const points = pointsOf(state.x, state.y, run, measured, undefined);
      const fork = shown.some((other) => other.id === run.forked_from?.run) && run.forked_from;
      const shared = fork ? points.update.findLastIndex((each) => each <= fork.update) : 0;
      const after = (/** @type {number[]} */ values) => values.slice(Math.max(shared, 0));
      return {
        ...{ x: after(points.x), y: after(points.y), update: after(points.update) },
        ...{ id, slot, name: run.name, diverged: run.diverged_since, fork: null },
      };
    })
    .filter(({ x }) => x.length);
}

/**
 * The times of training at some updates, between those of the points of the curve; null if unknown.
 *
 * @param {Curve} curve
 * @param {number[]} updates ascending.
 * @returns {(number | null)[]}
 */
function secondsAt({ update, seconds }, updates) {
  const known = update.flatMap((each, i) => {
    const time = seconds[i];
    return time === null ? [] : [{ each, time }];
  });
  let next = 0;
  return updates.map((wanted) => {
    while (next < known.length && known[next].each < wanted) next += 1;
    const [before, after] = [known[next - 1], known[next]];
    // The time of the newest update may arrive a moment later.
    if (!before || !after) return (before ?? after)?.time ?? null;
    const share = (wanted - before.each) / (after.each - before.each);
    return before.time + (after.time - before.time) * share;
  });
}

/** @type {WeakMap<Curve, any>} */
const cache = new WeakMap(); // curve -> its points for the last parameters

/**
 * The points of a curve on the axes; cached, since most curves do not change between drawings.
 *
 * @param {CompareState["x"]} axis
 * @param {ComparisonUnit | null} unit null for values that are not losses.
 * @param {Run} run
 * @param {Curve} curve
 * @param {(CurvePart & {from: number}) | undefined} detail
 * @returns {Points & {update: number[]}}
 */
function pointsOf(axis, unit, run, curve, detail) {
  const last = cache.get(curve);
  if (last?.axis === axis && last.unit === unit && last.detail === detail) return last.points;
  const finest = detail ? splice(curve, detail) : curve;
  const factor = unit ? unitsPerNat(unit, run) : 1;
  /** @type {Points & {update: number[]}} */
  const points = { x: [], y: [], update: [] };
  const xs = xsOf(axis, run, finest);
  finest.update.forEach((update, i) => {
    const [x, smooth] = [xs[i], finest.smooth[i]];
    if (x === null || smooth === null || !Number.isFinite(x) || !Number.isFinite(smooth)) return;
    points.x.push(x);
    points.y.push(smooth * factor);
    points.update.push(update);
  });
  cache.set(curve, { axis, unit, detail, points });
  return points;
}

/**
 * The x value of each point; null if unknown.
 *
 * @param {CompareState["x"]} axis
 * @param {Run} run
 * @param {Curve} curve
 * @returns {(number | null)[]}
 */
function xsOf(axis, run, curve) {
  if (axis === "seconds") return nonDecreasing(curve.seconds);
  return axis === "epochs" ? curve.update.map((u) => u / run.updates_per_epoch) : curve.update;
}

/**
 * Times that arrived at different moments may differ slightly; they must not decrease.
 *
 * @param {(number | null)[]} seconds
 */
function nonDecreasing(seconds) {
  let last = 0;
  return seconds.map((each) => (each === null ? null : (last = Math.max(last, each))));
}

/**
 * The line of a fork from where it leaves its parent's line.
 *
 * @param {Line} line
 * @param {Line} parent
 * @param {number} update
 * @returns {Line}
 */
function cutAtFork(line, parent, update) {
  const from = line.update.findIndex((each) => each > update);
  const start = pointAt(line, update) ?? pointAt(parent, update);
  if (!start) return line;
  const after = (/** @type {number[]} */ values) => (from < 0 ? [] : values.slice(from));
  return {
    ...line,
    x: [start[0], ...after(line.x)],
    y: [start[1], ...after(line.y)],
    update: [update, ...after(line.update)],
    fork: start,
  };
}

/**
 * The interpolated point of a line at an update; null outside the line.
 *
 * @param {Line} line
 * @param {number} wanted
 * @returns {[number, number] | null}
 */
function pointAt({ x, y, update }, wanted) {
  const after = update.findIndex((each) => each >= wanted);
  if (after < 0) return null;
  if (update[after] === wanted || after === 0) return [x[after], y[after]];
  const share = (wanted - update[after - 1]) / (update[after] - update[after - 1]);
  const between = (/** @type {number[]} */ values) =>
    values[after - 1] + (values[after] - values[after - 1]) * share;
  return [between(x), between(y)];
}

/**
 * The end of the longest line.
 *
 * @param {Line[]} lines
 */
export const liveEnd = (lines) =>
  lines.reduce((end, { x }) => Math.max(end, x.at(-1) ?? 0), 0) || 1;

/**
 * The x range in view: the zoom, or all lines.
 *
 * @param {CompareState} state
 * @param {Line[]} lines
 * @returns {[number, number]}
 */
export function viewOf({ range, scale }, lines) {
  const end = liveEnd(lines);
  if (range) {
    const [from, to] = range;
    const padding = scale === "log" ? end * 0.06 : (end - from) * 0.015;
    return to === Infinity ? [from, Math.max(end + padding, from * 1.01, from + 1e-3)] : range;
  }
  if (scale !== "log") return [0, end * 1.015];
  const starts = lines.flatMap(({ x }) => x.find((each) => each > 0) ?? []);
  const start = starts.reduce((a, b) => Math.min(a, b), end);
  return [start, Math.max(end * 1.06, start * 10)];
}

/**
 * The points of a line within a range, with one more on each side to draw the line to.
 *
 * @param {Points & {update: number[]}} line
 * @param {[number, number]} range
 * @returns {Points & {update: number[]}}
 */
export function within({ x, y, update }, [from, to]) {
  const first = x.findIndex((each) => each >= from);
  const beyond = x.findIndex((each) => each > to);
  const start = first < 0 ? x.length : Math.max(0, first - 1);
  const end = beyond < 0 ? x.length : beyond + 1;
  return {
    x: x.slice(start, end),
    y: y.slice(start, end),
    update: update.slice(start, end),
  };
}

/**
 * The last point of each cell.
 *
 * @param {Points} line
 * @param {(x: number) => number} toCell a non-decreasing function.
 * @returns {Points}
 */
export function mergeByCell({ x, y }, toCell) {
  const cells = x.map((each) => Math.floor(toCell(each)));
  const kept = (/** @type {number} */ _, /** @type {number} */ i) =>
    i === 0 || cells[i] !== cells[i + 1];
  return { x: x.filter(kept), y: y.filter(kept) };
}

/**
 * The losses in a range of x that set the y axis: the others are those of runs that have diverged.
 * If there are only such, all of them.
 *
 * @param {Line[]} pieces
 * @param {[number, number]} range
 * @returns {{y: number[]}[]}
 */
export function scaledLosses(pieces, [from, to]) {
  const kept = (/** @type {Line} */ { x, y, update, diverged }) =>
    y.filter((_, i) => x[i] >= from && x[i] <= to && update[i] < (diverged ?? Infinity));
  if (pieces.some((piece) => piece.diverged === null && kept(piece).length)) {
    return pieces.map((piece) => ({ y: kept(piece) }));
  }
  // Only the points in view: the ones beside it must not affect the axis.
  return pieces.map(({ x, y }) => {
    const inView = y.filter((_, i) => x[i] >= from && x[i] <= to);
    return { y: inView.length ? inView : y };
  });
}

/**
 * The y range to show, on round steps so that the axis rarely changes.
 *
 * @param {{y: number[]}[]} pieces
 * @returns {[number, number]}
 */
export function yRangeOf(pieces) {
  const all = pieces.flatMap(({ y }) => y);
  if (!all.length) return [0, 5];
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b));
  const rough = Math.max(high - low, high * 0.01) / 12;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough) ?? rough;
  const least = low >= 0 ? 0 : -Infinity; // a loss has no minus sign
  const from = Math.floor(low / step - 0.4) * step;
  return [Math.max(from, least), Math.ceil(high / step + 0.4) * step];
}

/**
 * The interpolated y of a line at x; null outside the line.
 *
 * @param {Points} line
 * @param {number} wanted
 */
export function yAt({ x, y }, wanted) {
  if (!x.length || wanted < x[0] || wanted > x[x.length - 1]) return null;
  const after = x.findIndex((each) => each >= wanted);
  if (after <= 0) return y[0];
  const share = (wanted - x[after - 1]) / (x[after] - x[after - 1] || 1);
  return y[after - 1] + (y[after] - y[after - 1]) * share;
}

/**
 * The goal in the chosen unit; null if the unit depends on the sequence length.
 *
 * @param {CompareState} state
 */
export function goalLine(state) {
  const goal = goalOf(state);
  if (goal === null || state.y === "sequence" || metricInView(state)) return null;
  return state.y === "bits" ? goal / Math.LN2 : goal;
}

/**
 * The lowest round loss, in nats per character, that every run in view has been below, apart from
 * those that have diverged.
 *
 * @param {CompareState} state
 * @returns {number | null} null if no run has a loss yet.
 */
export function suggestedGoal(state) {
  const runs = visibleRuns(state);
  const sound = runs.filter(({ run }) => run.diverged_since === null);
  // Every seed of a group is to reach the goal.
  const members = (sound.length ? sound : runs).flatMap(({ run, group }) =>
    group ? group.figures.map((each) => each.run) : [run],
  );
  const bests = members.flatMap((run) =>
    run.best ? [run.best.smooth_loss * unitsPerNat("character", run)] : [],
  );
  if (!bests.length) return null;
  const worst = bests.reduce((a, b) => Math.max(a, b));
  return (Math.floor(worst * 20) + 1) / 20;
}
