/** The columns of the table: their text, their order when sorting, and the table to copy. */

import { groupState, spreadOf } from "../groups/group-run.js";
import * as format from "../lib/format.js";
import { specDifferences } from "./spec-diff.js";
import { goalOf, LOSS_UNITS, metricInView, unitsPerNat, visibleRuns } from "./reducers.js";
import { metricValue } from "../metrics/metric-scale.js";

const ORDER = ["queued", "running", "paused", "interrupted", "finished", "stopped", "failed"];

/**
 * @typedef {Object} Column
 * @property {string} key
 * @property {string} label
 * @property {(each: ComparedRun) => string} text
 * @property {(each: ComparedRun) => any} value null is last in any order.
 * @property {boolean} [figure] aligned to the right, with tabular figures.
 * @property {string} [head] the label in a table to copy, which stands alone.
 * @property {string | null} [unit] in a table to copy.
 * @property {(each: ComparedRun) => string} [cell] the text in the unit, if `text` has another.
 * @property {(each: ComparedRun) => number | null} [deviation] of the members of a group.
 */

/**
 * @param {CompareState} state
 * @returns {{columns: Column[], shared: string, rows: ComparedRun[]}} rows in the chosen order.
 */
export function tableOf(state) {
  const shown = visibleRuns(state);
  const { fields, secondary, shared } = specDifferences(shown.map(({ run }) => run));
  const columns = [
    NAME,
    ...fields.map(fromField),
    ...figures(state, shown),
    ...secondary.map(fromField),
  ];
  const sorted = columns.find(({ key }) => key === state.sort?.by);
  const rows = sorted ? ordered(shown, sorted, state.sort?.descending ?? false) : shown;
  return { columns, shared, rows };
}

/**
 * The columns and the rows in view as a table to copy. In CSV the figures have no separators and
 * are empty if they are missing, so that a program can read them.
 *
 * @param {CompareState} state
 * @param {string} textFormat
 * @returns {TextTable}
 */
export function tableToCopy(state, textFormat) {
  const { columns, shared, rows } = tableOf(state);
  const copied = textFormat === "csv" ? withDeviations(columns, rows) : columns;
  const cell = textFormat === "csv" ? csvCell : textCell;
  return {
    caption: shared || "Runs compared",
    heads: copied.map(({ label, head = label, unit }) => (unit ? `${head} (${unit})` : head)),
    align: copied.map((column) => (rows.some(isNumber(column)) ? "r" : "l")).join(""),
    rows: rows.map((row) => copied.map((column) => cell(column, row))),
  };
}

/**
 * The columns with those of the deviations, where there are any, as numbers of their own.
 *
 * @param {Column[]} columns
 * @param {ComparedRun[]} rows
 */
const withDeviations = (columns, rows) =>
  columns.flatMap((column) => {
    const { key, label, head = label, unit, deviation } = column;
    if (!deviation || !rows.some((row) => deviation(row) !== null)) return [column];
    const own = figure(`${key}_deviation`, `${head}, deviation`, deviation, String);
    return [column, { ...own, unit }];
  });

/** @type {(column: Column) => (row: ComparedRun) => boolean} */
const isNumber =
  ({ figure, value }) =>
  (row) =>
    Boolean(figure) && Number.isFinite(value(row));

const CSV_DIGITS = 8;

/** @param {number} value */
const number = (value) => String(Number(value.toPrecision(CSV_DIGITS)));

/** @type {(column: Column, row: ComparedRun) => string} */
function csvCell({ figure, value, text }, row) {
  const found = figure ? value(row) : undefined;
  if (found === null) return "";
  return Number.isFinite(found) ? number(found) : text(row);
}

/** @type {(column: Column, row: ComparedRun) => string} */
function textCell({ figure, unit, value, text, cell = text, deviation }, row) {
  const shown = cell(row);
  if (deviation && row.group) return shown;
  // A text such as "5%" has a unit of its own.
  const inUnit = !figure || !unit || /^[\d.,]*$/u.test(shown) || !Number.isFinite(value(row));
  return inUnit ? shown : number(value(row));
}

/** @type {Column} */
const NAME = {
  key: "name",
  label: "run",
  text: ({ run }) => run.name,
  value: ({ run }) => run.name.toLocaleLowerCase(),
};

/**
 * @param {import("./spec-diff.js").Field} field
 * @returns {Column}
 */
const fromField = ({ key, label, value, text, figure, unit }) => ({
  key,
  label,
  text: ({ run }) => text(run),
  value: ({ run }) => value(run),
  figure,
  unit,
});

/**
 * @param {CompareState} state
 * @param {ComparedRun[]} shown
 * @returns {Column[]}
 */
function figures(state, shown) {
  const inUnit = (/** @type {number | undefined} */ loss, /** @type {Run} */ run) =>
    typeof loss === "number" ? loss * unitsPerNat(state.y, run) : null;
  const text = state.y === "sequence" ? format.loss : format.fine;
  const close = (/** @type {number | null} */ value) =>
    value === null ? format.NO_VALUE : value.toFixed(state.y === "sequence" ? 2 : 3);
  const validated = shown.some(({ lowestLoss }) => lowestLoss);
  const tested = shown.some(({ run }) => run.test);
  const metric = metricInView(state);
  const goal = goalOf(state);
  const lossUnit = LOSS_UNITS[state.y];
  const first = `first smooth loss below ${goalText(goal, state.y)}`;
  const reached = (/** @type {ComparedRun} */ { id }) =>
    state.reached[id]?.goal === goal ? state.reached[id] : null;
  /** Whether the figures of a group are those for the goal in view. */
  const answered = (/** @type {ComparedRun} */ { run, group }) =>
    goal !== null && group?.goal === goal * run.spec.sequence_length;
  /** When the members of a group reached the goal; a run has one such answer. */
  const allReached = (/** @type {ComparedRun} */ each) =>
    each.group
      ? each.group.figures.map((member) => (answered(each) ? member.reached : null))
      : [reached(each)];
  const missing = (/** @type {ComparedRun} */ each) => {
    if (goal === null) return format.NO_VALUE;
    const asked = each.group ? !answered(each) : isReached(each.run, goal);
    return asked ? "…" : "not yet";
  };
  const loss = (/** @type {Member} */ { run }) => inUnit(run.best?.smooth_loss, run);
  const lowest = (/** @type {Member} */ { run, lowestLoss }) => inUnit(lowestLoss?.loss, run);
  return [
    {
      ...spreadFigure("reached", "reached at", (each) =>
        allReached(each).map((found) => found?.update ?? null),
      ),
      head: `${first}, at`,
      unit: "update",
      text: (each) =>
        spreadText(
          allReached(each).map((found) => found?.update ?? null),
          each,
          (value) => format.count(Math.round(value)),
        ) ?? missing(each),
    },
    {
      ...spreadFigure("time", "reached in", (each) =>
        allReached(each).map((found) => found?.seconds ?? null),
      ),
      text: (each) =>
        spreadText(
          allReached(each).map((found) => found?.seconds ?? null),
          each,
          format.elapsed,
        ) ?? "",
      head: `${first}, in`,
      unit: "s",
      cell: (each) =>
        spreadText(
          allReached(each).map((found) => found?.seconds ?? null),
          each,
          format.loss,
        ) ?? "",
    },
    {
      ...spreadFigure("best", "best", (each) => membersOf(each).map(loss), text, close),
      head: "lowest smooth loss",
      unit: lossUnit,
    },
    {
      ...figure("best_at", "best at", ({ run }) => run.best?.update ?? null),
      head: "lowest smooth loss at",
      unit: "update",
    },
    ...(validated
      ? [
          {
            ...spreadFigure(
              "validation",
              "lowest validation",
              (each) => membersOf(each).map(lowest),
              text,
              close,
            ),
            head: "lowest validation loss",
            unit: lossUnit,
          },
          {
            ...figure(
              "validation_at",
              "validation at",
              ({ lowestLoss }) => lowestLoss?.update ?? null,
            ),
            head: "lowest validation loss at",
            unit: "update",
          },
        ]
      : []),
    ...(tested
      ? [
          {
            ...figure("test", "test", (each) => onTest(each, state), text),
            head: "test loss",
            unit: lossUnit,
          },
        ]
      : []),
    {
      key: "state",
      label: "state",
      text: ({ run, outdated, group }) =>
        group
          ? groupState(group.figures.map((member) => member.run))
          : format.knownState(run.state, outdated),
      value: ({ run }) => ORDER.indexOf(run.state),
    },
    figure("update", "update", ({ run }) => run.update),
    ...(metric
      ? [
          {
            ...figure(
              "metric",
              metric.label,
              ({ id }) => state.metricCurves[id]?.smooth.at(-1) ?? null,
              metricValue,
            ),
            head: `newest ${metric.label}`,
            unit: metric.unit || null,
          },
        ]
      : []),
    {
      ...spreadFigure(
        "speed",
        "updates/s",
        (each) =>
          each.outdated ? [] : membersOf(each).map(({ run }) => run.updates_per_second || null),
        (speed) => (speed === null ? format.NO_VALUE : format.speed(speed)),
      ),
      head: "speed",
      unit: "updates/s",
    },
  ];
}

/**
 * A run, or a member of a group, with its lowest validation loss.
 *
 * @typedef {{run: Run, lowestLoss: {loss: number} | null}} Member
 */

/**
 * The members of a group; a run is its own only member.
 *
 * @param {ComparedRun} each
 * @returns {Member[]}
 */
const membersOf = ({ run, lowestLoss, group }) =>
  group
    ? group.figures.map((member) => ({ run: member.run, lowestLoss: member.lowest_validation }))
    : [{ run, lowestLoss }];

/**
 * A figure that is the mean of the members in a group, with their deviation.
 *
 * @param {string} key
 * @param {string} label
 * @param {(each: ComparedRun) => (number | null)[]} values of the members.
 * @param {(value: number | null) => string} [text]
 * @param {(value: number | null) => string} [close] the text in a group, whose deviation is small.
 * @returns {Column}
 */
const spreadFigure = (key, label, values, text = format.count, close = text) => ({
  ...figure(key, label, (each) => spreadOf(values(each))?.mean ?? null),
  text: (each) => spreadText(values(each), each, each.group ? close : text) ?? text(null),
  deviation: (each) => (each.group ? (spreadOf(values(each))?.deviation ?? null) : null),
});

/**
 * "49.3 ± 0.5", and "(3 of 5)" if some members have no value; null if none has one.
 *
 * @param {(number | null)[]} values
 * @param {ComparedRun} each
 * @param {(value: number) => string} text
 */
function spreadText(values, { group }, text) {
  const spread = spreadOf(values);
  if (!spread) return null;
  if (!group) return text(spread.mean);
  const { mean, deviation, count } = spread;
  const parts = [
    text(mean),
    deviation === null ? "" : `± ${text(deviation)}`,
    count < values.length ? `(${count} of ${values.length})` : "",
  ];
  return parts.filter(Boolean).join(" ");
}

/**
 * The goal in words, per character.
 *
 * @param {number | null} goal
 * @param {ComparisonUnit} unit
 */
function goalText(goal, unit) {
  if (goal === null) return "the goal";
  const bits = unit === "bits";
  const value = Number((bits ? goal / Math.LN2 : goal).toFixed(4));
  return `${value} ${LOSS_UNITS[bits ? "bits" : "character"]}`;
}

/**
 * The loss on the test part, in the unit of the table.
 *
 * @param {ComparedRun} each
 * @param {CompareState} state
 */
const onTest = ({ run }, { y }) =>
  run.test ? run.test.nats * run.spec.sequence_length * unitsPerNat(y, run) : null;

/**
 * @param {string} key
 * @param {string} label
 * @param {(each: ComparedRun) => number | null} value
 * @param {(value: number | null) => string} [text]
 * @returns {Column}
 */
const figure = (key, label, value, text = format.count) => ({
  key,
  label,
  value,
  text: (each) => text(value(each)),
  figure: true,
});

/**
 * Whether a run's smooth loss has been below `goal` nats per character.
 *
 * @param {Run} run
 * @param {number} goal
 */
export const isReached = ({ best, spec }, goal) =>
  best !== null && best.smooth_loss < goal * spec.sequence_length;

/**
 * @param {ComparedRun[]} rows
 * @param {Column} column
 * @param {boolean} descending
 */
function ordered(rows, { value }, descending) {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    return (x < y ? -1 : x > y ? 1 : 0) * sign;
  });
}
