/**
 * The marks on the curve: one shape per kind, left out where they would overlap. Pure functions.
 *
 * @typedef {{kind: string, update: number, text: string, id: string | null, words?: string[]}} Mark
 *   Only a note has an `id`; `words` are those of a hurrah.
 */

import { textScaled } from "../lib/dom.js";
import { timeLabel } from "../curve/axes.js";
import * as format from "../lib/format.js";
import { hurrahLabel } from "../state/hurrah-label.js";
import { memoize } from "../lib/memoize.js";

const APART_PX = 9; // the least distance between two marks
const NEAR_PX = 7;
const EPOCHS_APART_PX = textScaled(30);
const LIMIT_EPOCHS = 40;
const MAX_NAMED = 3;

/** By priority, the most important first. */
const KINDS = ["hurrah", "note", "rollback", "change", "checkpoint", "sample"];

const SHOWN_ELSEWHERE = ["epoch", "checkpoint", "hurrah"]; // taken from other data

const inOneLine = (text) => text.replace(/\s+/g, " ");

function hurrahsByUpdate(milestones) {
  const words = new Map();
  for (const { kind, update, text } of milestones) {
    if (kind !== "hurrah") continue;
    const word = text.replace(/^hurrah\s*[-–:]\s*/iu, "");
    words.set(update, [...(words.get(update) ?? []), word]);
  }
  return words;
}

/** All marks of a run, by update. */
export const marksOf = memoize(
  ({ milestones, checkpoints, samples }) => [milestones, checkpoints, samples],
  collectMarks,
);

function collectMarks({ milestones, checkpoints, samples }) {
  const marks = milestones
    .filter(({ kind }) => !SHOWN_ELSEWHERE.includes(kind))
    .map(({ kind, update, text, id }) => ({ kind, update, text: inOneLine(text), id }));
  for (const [update, words] of hurrahsByUpdate(milestones)) {
    marks.push({ kind: "hurrah", update, text: `hurrah - ${words.join(", ")}`, id: null, words });
  }
  for (const { automatic, update, note } of checkpoints) {
    if (!automatic) marks.push({ kind: "checkpoint", update, text: note ?? "", id: null });
  }
  for (const { update } of samples) marks.push({ kind: "sample", update, text: "", id: null });
  return marks.sort((a, b) => a.update - b.update);
}

/**
 * The marks to draw, by kind; of those that would overlap, the one with the highest priority.
 *
 * @param {Mark[]} marks
 * @param {(update: number) => number} toPixel
 * @param {number} width of the plot in pixels.
 * @returns {Record<string, Mark[]>}
 */
export function visibleMarks(marks, toPixel, width) {
  const taken = []; // pixels
  const drawn = {};
  for (const kind of KINDS) {
    drawn[kind] = [];
    // The newest first, so that it is the last to be dropped.
    for (const mark of marks.filter((each) => each.kind === kind).reverse()) {
      const pixel = toPixel(Math.max(mark.update, 1));
      if (pixel < -APART_PX || pixel > width + APART_PX) continue;
      if (taken.some((other) => Math.abs(other - pixel) < APART_PX)) continue;
      taken.push(pixel);
      drawn[kind].push(mark);
    }
    drawn[kind].reverse();
  }
  return drawn;
}

/** The marks within a few pixels of `pixel`, the most important first. */
export function marksNear(marks, toPixel, pixel) {
  return marks
    .map((mark) => ({ mark, off: Math.abs(toPixel(Math.max(mark.update, 1)) - pixel) }))
    .filter(({ off }) => off <= NEAR_PX)
    .sort((a, b) => KINDS.indexOf(a.mark.kind) - KINDS.indexOf(b.mark.kind) || a.off - b.off)
    .map(({ mark }) => mark);
}

/**
 * The starts of epochs, with their numbers: all of them if they fit, or else round ones.
 *
 * @param {number} perEpoch updates of an epoch.
 * @param {[number, number]} range of updates in view.
 * @param {(update: number) => number} toPixel
 * @returns {{epoch: number, update: number, pixel: number}[]}
 */
export function epochsIn(perEpoch, [from, to], toPixel) {
  const found = [];
  if (!(perEpoch >= 1)) return found;
  const place = (epoch) => toPixel((epoch - 1) * perEpoch);
  let last = -Infinity;
  let epoch = Math.max(2, Math.ceil(from / perEpoch) + 1);
  while ((epoch - 1) * perEpoch < to && found.length < LIMIT_EPOCHS) {
    const pixel = place(epoch);
    if (pixel - last >= EPOCHS_APART_PX) {
      found.push({ epoch, update: (epoch - 1) * perEpoch, pixel });
      last = pixel;
    }
    epoch = nextRound(epoch, (next) => place(next) - last >= EPOCHS_APART_PX);
  }
  return found;
}

/** The next number after `epoch` that `fits`, with the smallest round step possible. */
function nextRound(epoch, fits) {
  for (let step = 1; ; step *= 10) {
    for (const factor of [1, 2, 5]) {
      const next = (Math.floor(epoch / (step * factor)) + 1) * step * factor;
      if (fits(next) || step > epoch * 10) return next;
    }
  }
}

/** A mark as text: "hurrah - Orla, update 9,000". */
export function describeMark({ kind, update, text, words }) {
  const at = `update ${format.count(update)}`;
  switch (kind) {
    case "sample":
      return `sample, ${at}`;
    case "checkpoint":
      return text && text !== "checkpoint" ? `checkpoint, ${at}: ${text}` : `checkpoint, ${at}`;
    case "hurrah":
      return hurrahLabel(words, update);
    case "note":
      return `note, ${at}: ${text}`;
    default:
      return `${kind}, ${at}: ${text}`;
  }
}

/** Several marks as text; only the first few are described. */
export function describeMarks(marks) {
  const named = marks.slice(0, MAX_NAMED).map(describeMark);
  const more = marks.length - named.length;
  return more > 0 ? [...named, `and ${format.plural(more, "mark", "marks")} more`] : named;
}

/** An update on the x axis as text: "epoch 2.35", "1:20 of training". */
export function xLabel(xAxis, update) {
  const value = xAxis.of(update);
  if (xAxis.name === "epochs") return `epoch ${format.fine(value + 1)}`;
  return xAxis.name === "seconds" ? `${timeLabel(Math.round(value * 10) / 10)} of training` : "";
}
