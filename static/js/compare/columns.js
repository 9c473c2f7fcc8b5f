/** The columns of the table: their text, their order when sorting, and the table to copy. */

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
  const cell = textFormat === "csv" ? csvCell : textCell;
  return {
    caption: shared || "Runs compared",
    heads: columns.map(({ label, head = label, unit }) => (unit ? `${head} (${unit})` : head)),
    align: columns.map((column) => (rows.some(isNumber(column)) ? "r" : "l")).join(""),
    rows: rows.map((row) => columns.map((column) => cell(column, row))),
  };
}

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
function textCell({ figure, unit, value, text, cell = text }, row) {
  const shown = cell(row);
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
  const validated = shown.some(({ lowestLoss }) => lowestLoss);
  const tested = shown.some(({ run }) => run.test);
  const metric = metricInView(state);
  const goal = goalOf(state);
  const lossUnit = LOSS_UNITS[state.y];
  const first = `first smooth loss below ${goalText(goal, state.y)}`;
  const reached = (/** @type {ComparedRun} */ { id }) =>
    state.reached[id]?.goal === goal ? state.reached[id] : null;
  const missing = (/** @type {ComparedRun} */ { run }) => {
    if (goal === null) return format.NO_VALUE;
    return isReached(run, goal) ? "…" : "not yet"; // the server was asked when
  };
  return [
    {
      ...figure("reached", "reached at", (each) => reached(each)?.update ?? null),
      head: `${first}, at`,
      unit: "update",
      text(each) {
        const found = reached(each);
        return found ? format.count(found.update) : missing(each);
      },
    },
    {
      ...figure("time", "reached in", (each) => reached(each)?.seconds ?? null),
      text(each) {
        const found = reached(each);
        return found ? format.elapsed(found.seconds) : "";
      },
      head: `${first}, in`,
      unit: "s",
      cell(each) {
        const found = reached(each);
        return found ? format.loss(found.seconds) : "";
      },
    },
    {
      ...figure("best", "best", ({ run }) => inUnit(run.best?.smooth_loss, run), text),
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
            ...figure(
              "validation",
              "lowest validation",
              ({ run, lowestLoss }) => inUnit(lowestLoss?.loss, run),
              text,
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
      text: ({ run, outdated }) => format.knownState(run.state, outdated),
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
      ...figure(
        "speed",
        "updates/s",
        ({ run, outdated }) => (outdated ? null : run.updates_per_second || null),
        (speed) => (speed === null ? format.NO_VALUE : format.speed(speed)),
      ),
      head: "speed",
      unit: "updates/s",
    },
  ];
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
