/** The runs in view as lines on one pair of axes. Pure functions all. */

import { splice } from "../curve/loss-curve.js";
import { goalOf, unitsPerNat, visibleRuns } from "./reducers.js";

/**
 * One run's line.
 *
 * @typedef {Object} Line
 * @property {string} id
 * @property {number} place
 * @property {string} name
 * @property {number[]} x ascending, in updates, epochs or seconds.
 * @property {number[]} y smooth losses in the chosen unit.
 * @property {number[]} update the update that each point stands for.
 * @property {[number, number] | null} fork where it leaves the trunk that is in view too.
 */

/** @returns {Line[]} of the runs in view; of a fork and its trunk the shared part once. */
export function linesOf(state) {
  const shown = visibleRuns(state);
  const fullLines = new Map(shown.map((each) => [each.id, fullLine(state, each)]));
  return shown.map(({ id, run }) => {
    const parent = fullLines.get(run.forked_from?.run);
    return parent ? cutAtFork(fullLines.get(id), parent, run.forked_from.update) : fullLines.get(id);
  });
}

const fullLine = (state, { id, slot, run, curve }) => ({
  ...pointsOf(state.x, state.y, run, curve, state.details[id]),
  id,
  slot,
  name: run.name,
  fork: null,
});

const cache = new WeakMap(); // curve -> its points as they were last asked for

/** A curve's points on the axes; of most runs they are the same from one drawing to the next. */
function pointsOf(axis, unit, run, curve, detail) {
  const last = cache.get(curve);
  if (last?.axis === axis && last.unit === unit && last.detail === detail) return last.points;
  const finest = detail ? splice(curve, detail) : curve;
  const factor = unitsPerNat(unit, run);
  const points = { x: [], y: [], update: [] };
  const xs = xsOf(axis, run, finest);
  finest.update.forEach((update, i) => {
    const [x, smooth] = [xs[i], finest.smooth[i]];
    if (!Number.isFinite(x) || !Number.isFinite(smooth)) return;
    points.x.push(x);
    points.y.push(smooth * factor);
    points.update.push(update);
  });
  cache.set(curve, { axis, unit, detail, points });
  return points;
}

/** Where each point of a curve stands along the axis; null where that is not known. */
function xsOf(axis, run, curve) {
  if (axis === "seconds") return neverFalling(curve.seconds);
  return axis === "epochs" ? curve.update.map((u) => u / run.updates_per_epoch) : curve.update;
}

/** Seconds that came at different moments may differ by a little: the line never goes back. */
function neverFalling(seconds) {
  let last = 0;
  return seconds.map((each) => (each === null ? null : (last = Math.max(last, each))));
}

/** A fork's line from where it leaves its trunk's. */
function cutAtFork(line, parent, update) {
  const from = line.update.findIndex((each) => each > update);
  const start = pointAt(line, update) ?? pointAt(parent, update);
  if (!start) return line;
  const after = (values) => (from < 0 ? [] : values.slice(from));
  return {
    ...line,
    x: [start[0], ...after(line.x)],
    y: [start[1], ...after(line.y)],
    update: [update, ...after(line.update)],
    fork: start,
  };
}

/** The point of a line at an update, between its own; null where it has none. */
function pointAt({ x, y, update }, wanted) {
  const after = update.findIndex((each) => each >= wanted);
  if (after < 0) return null;
  if (update[after] === wanted || after === 0) return [x[after], y[after]];
  const share = (wanted - update[after - 1]) / (update[after] - update[after - 1]);
  const between = (values) => values[after - 1] + (values[after] - values[after - 1]) * share;
  return [between(x), between(y)];
}

/** Where the longest line ends. */
export const liveEnd = (lines) =>
  lines.reduce((end, { x }) => Math.max(end, x.at(-1) ?? 0), 0) || 1;

/** The span of x in view: the reader's zoom, or all of every line. */
export function viewOf({ range, scale }, lines) {
  const end = liveEnd(lines);
  if (range) {
    const [from, to] = range;
    const room = scale === "log" ? end * 0.06 : (end - from) * 0.015;
    return to === Infinity ? [from, Math.max(end + room, from * 1.01, from + 1e-3)] : range;
  }
  if (scale !== "log") return [0, end * 1.015];
  const starts = lines.flatMap(({ x }) => x.find((each) => each > 0) ?? []);
  const start = starts.reduce((a, b) => Math.min(a, b), end);
  return [start, Math.max(end * 1.06, start * 10)];
}

/** A line's points within a span, with one more on each side to draw it in. */
export function within({ x, y }, [from, to]) {
  const first = x.findIndex((each) => each >= from);
  const beyond = x.findIndex((each) => each > to);
  const start = first < 0 ? x.length : Math.max(0, first - 1);
  const end = beyond < 0 ? x.length : beyond + 1;
  return { x: x.slice(start, end), y: y.slice(start, end) };
}

/** The last of the points that share a cell of `toCell`, which never falls. */
export function mergeByCell({ x, y }, toCell) {
  const cells = x.map((each) => Math.floor(toCell(each)));
  const kept = (_, i) => i === 0 || cells[i] !== cells[i + 1];
  return { x: x.filter(kept), y: y.filter(kept) };
}

/** The least and greatest y to show, on round steps so that the axis holds still while it grows. */
export function heightOf(pieces) {
  const all = pieces.flatMap(({ y }) => y);
  if (!all.length) return [0, 5];
  const low = all.reduce((a, b) => Math.min(a, b));
  const high = all.reduce((a, b) => Math.max(a, b));
  const rough = Math.max(high - low, high * 0.01) / 12;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((each) => each >= rough);
  return [Math.floor(low / step - 0.4) * step, Math.ceil(high / step + 0.4) * step];
}

/** A line's y at x, between its points; null where it is not. */
export function heightAt({ x, y }, wanted) {
  if (!x.length || wanted < x[0] || wanted > x.at(-1)) return null;
  const after = x.findIndex((each) => each >= wanted);
  if (after <= 0) return y[0];
  const share = (wanted - x[after - 1]) / (x[after] - x[after - 1] || 1);
  return y[after - 1] + (y[after] - y[after - 1]) * share;
}

/** The loss to be reached in the chosen unit; null where the runs' units differ too much. */
export function goalLine(state) {
  const goal = goalOf(state);
  if (goal === null || state.y === "sequence") return null;
  return state.y === "bits" ? goal / Math.LN2 : goal;
}

/**
 * A loss that every run in view has been below, in nats a character: the least round one.
 *
 * @returns {number | null} null where none has learned yet.
 */
export function suggestedGoal(state) {
  const bests = visibleRuns(state)
    .filter(({ run }) => run.best)
    .map(({ run }) => run.best.smooth_loss * unitsPerNat("character", run));
  if (!bests.length) return null;
  const worst = bests.reduce((a, b) => Math.max(a, b));
  return (Math.floor(worst * 20) + 1) / 20;
}
