/** What the table says of each run: its columns, their words, and the order they sort by. */

import * as format from "../lib/format.js";
import { differences } from "./spec-diff.js";
import { goalOf, unitsPerNat, visible } from "./reducers.js";

const ORDER = ["queued", "running", "paused", "interrupted", "finished", "stopped", "failed"];

/**
 * @typedef {Object} Column
 * @property {string} key
 * @property {string} label
 * @property {(each: Object) => string} words
 * @property {(each: Object) => number | string | null} value null comes last in every order.
 * @property {boolean} [figure] whether it stands to the right, with its neighbours' digits.
 */

/** @returns {{columns: Column[], shared: string, rows: Object[]}} rows in the chosen order. */
export function tableOf(state) {
  const shown = visible(state);
  const { fields, aside, shared } = differences(shown.map(({ run }) => run));
  const columns = [
    NAME,
    ...fields.map(fromField),
    ...figures(state, shown),
    ...aside.map(fromField),
  ];
  const sorted = columns.find(({ key }) => key === state.sort?.by);
  const rows = sorted ? ordered(shown, sorted, state.sort.descending) : shown;
  return { columns, shared, rows };
}

const NAME = {
  key: "name",
  label: "run",
  words: ({ run }) => run.name,
  value: ({ run }) => run.name.toLocaleLowerCase(),
};

const fromField = ({ key, label, of, words }) => ({
  key,
  label,
  words: ({ run }) => words(of(run)),
  value: ({ run }) => of(run),
  figure: key !== "watch_words",
});

function figures(state, shown) {
  const inUnit = (loss, run) =>
    typeof loss === "number" ? loss * unitsPerNat(state.y, run) : null;
  const words = state.y === "sequence" ? format.loss : format.fine;
  const validated = shown.some(({ lowest }) => lowest);
  const goal = goalOf(state);
  const reached = ({ id }) => (state.reached[id]?.goal === goal ? state.reached[id] : null);
  const missed = ({ run }) => {
    if (goal === null) return format.NOTHING;
    return isReached(run, goal) ? "…" : "not yet"; // the server is being asked when it was
  };
  return [
    {
      ...figure("reached", "reached at", (each) => reached(each)?.update ?? null),
      words: (each) => (reached(each) ? format.count(reached(each).update) : missed(each)),
    },
    {
      ...figure("time", "reached in", (each) => reached(each)?.seconds ?? null),
      words: (each) => (reached(each) ? format.took(reached(each).seconds) : ""),
    },
    figure("best", "best", ({ run }) => inUnit(run.best?.smooth_loss, run), words),
    figure("best_at", "best at", ({ run }) => run.best?.update ?? null, format.count),
    ...(validated
      ? [figure("validation", "validation", ({ run, lowest }) => inUnit(lowest?.loss, run), words)]
      : []),
    {
      key: "state",
      label: "state",
      words: ({ run }) => format.stateWord(run.state),
      value: ({ run }) => ORDER.indexOf(run.state),
    },
    figure("update", "update", ({ run }) => run.update, format.count),
    figure("speed", "updates/s", ({ run }) => run.updates_per_second || null, (speed) =>
      speed === null ? format.NOTHING : format.speed(speed),
    ),
  ];
}

const figure = (key, label, value, words) => ({
  key,
  label,
  value,
  words: (each) => words(value(each)),
  figure: true,
});

/** Whether a run's smooth loss has been below `goal` nats a character. */
export const isReached = ({ best, spec }, goal) =>
  best !== null && best.smooth_loss < goal * spec.sequence_length;

function ordered(rows, { value }, descending) {
  const sign = descending ? -1 : 1;
  return [...rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (x === null || y === null) return (x === null) - (y === null);
    return (x < y ? -1 : x > y ? 1 : 0) * sign;
  });
}
