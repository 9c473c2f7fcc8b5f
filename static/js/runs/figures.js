/** The five figures above the curve. */

import { bestBeatenBaseline, isWorseThanChance } from "../curve/baselines.js";
import { bookPageAt, bookPageCount } from "../lib/book-pages.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { lossUnit } from "../curve/scales.js";
import { isOutdated } from "../ui/connection.js";

/** @param {WatchStore} store */
export function mountFigures(store) {
  const put = (id, text) => setText(find(`#figure-${id}`), text);
  const fill = find("#book-bar-fill");
  const bar = find("#book-bar");

  store.watch(
    (state) => [
      ...[state.run, state.corpora, state.unit, state.reached, isOutdated(state)],
      ...[state.playback === null, state.validation],
    ],
    (run, corpora, _unit, _reached, outdated, live) => {
      if (!run) {
        for (const id of VALUES) put(id, format.NO_VALUE);
        for (const id of NOTES) put(id, "");
        fill.style.transform = "scaleX(0)";
        return;
      }
      const corpus = corpora[run.corpus];
      const characters = run.corpus_characters ?? corpus?.characters;
      put("update", format.count(run.update));
      put("update-note", progressNote(run, outdated, !live));
      const unit = lossUnit(store.get());
      const figure = (loss) => format.rounded(unit.of(loss ?? null), unit.digits);
      put("loss", figure(run.smooth_loss));
      put("loss-note", lossNote(store.get(), unit, figure));
      put("best", figure(run.best?.smooth_loss));
      put("best-note", run.best ? `at ${format.count(run.best.update)}` : "");
      put("speed", live ? speed(run, outdated) : format.NO_VALUE);
      const averaged = live && !outdated && run.state !== "running" && run.seconds > 0;
      const where = live && !outdated && !averaged ? format.onMachine(run.machine) : "";
      const now = where ? `per second${where}` : "updates per second";
      put("speed-note", averaged ? "average per second" : now);
      const read = shareRead(run);
      put("book", positionNote(run, characters, read));
      put("book-note", baselineNote(store.get()));
      fill.style.transform = `scaleX(${read})`;
      bar.setAttribute("aria-valuenow", String(Math.round(read * 100)));
    },
  );
}

const VALUES = ["update", "loss", "best", "speed", "book"];
const NOTES = ["update-note", "loss-note", "best-note", "speed-note", "book-note"];

/**
 * The last validation loss and its update, if there is one; otherwise the loss per character, or
 * the unit.
 */
function lossNote({ run, validation }, unit, figure) {
  const { smooth_loss: loss, spec } = run;
  const last = lastValidation(run, validation);
  if (last) {
    const at = last.update === null ? "" : ` at ${format.count(last.update)}`;
    return `validation ${figure(last.loss)}${at}`;
  }
  if (unit.name !== "sequence") return unit.label;
  return loss === null ? "" : `${format.fine(loss / spec.sequence_length)} nats per character`;
}

/**
 * The newest validation loss. Samples arrive more often than the run itself; a fork has no sample
 * from before.
 *
 * @param {Run} run
 * @param {ValidationLoss} validation
 */
function lastValidation({ validation_loss: loss, validation_update: known }, validation) {
  const update = validation.update.at(-1);
  if (update !== undefined && update >= (known ?? 0)) {
    return { update, loss: validation.loss.at(-1) };
  }
  return typeof loss === "number" ? { update: known, loss } : null;
}

/**
 * The share of the epoch that has been read, 0 to 1. `position` counts within each stream's part.
 */
function shareRead({ update, position, updates_per_epoch: updates, spec }) {
  if (spec.order !== "sequential") return updates ? (update % updates) / updates : 0;
  return updates ? Math.min(position / (updates * spec.sequence_length), 1) : 0;
}

/** The page being read; with several streams, or in shuffled order, the share of the epoch. */
function positionNote(run, characters, read) {
  const epoch = `epoch ${format.count(run.epoch)}`;
  if (!characters) return epoch;
  if (run.spec.batch_size > 1 || run.spec.order !== "sequential")
    return `${epoch}, ${format.share(read)} read`;
  const bookPage = bookPageAt(run.position, characters);
  return `${epoch}, page ${format.count(bookPage)} of ${format.count(bookPageCount(characters))}`;
}

/** "below bigram since 4,200": the lowest reference that the smooth loss is below. */
function baselineNote(state) {
  const line = bestBeatenBaseline(state);
  if (isWorseThanChance(state)) return "worse than random guessing";
  const since = line && state.reached[line.name];
  return since ? `below ${line.name} since ${format.count(since)}` : "";
}

/**
 * The speed of a run that is training, or else its average. It is unknown while the connection is
 * silent.
 */
function speed({ state, updates_per_second: updates, update, seconds }, outdated) {
  if (outdated) return format.NO_VALUE;
  if (state === "running") return format.speed(updates);
  return seconds > 0 ? format.speed(update / seconds) : format.NO_VALUE;
}

function progressNote(run, outdated, replayed) {
  const limit = run.spec.max_updates;
  const of = limit ? `of ${format.count(limit)}` : "until stopped";
  if (replayed) return `${of}, replay`;
  if (outdated) return `${of}, not current`;
  // "until stopped" says nothing about a run that was stopped.
  if (!limit && run.state !== "running") return format.stateLabel(run.state);
  if (run.state !== "running") return `${of}, ${format.stateLabel(run.state)}`;
  const left = secondsLeft(run);
  return left === null ? of : `${of}, ${format.timeSpan(left)} left`;
}

/**
 * The remaining time at the current speed; the speed of a cinematic run is proportional to its
 * update.
 */
export function secondsLeft(run) {
  const { update, updates_per_second: speed, spec } = run;
  if (!spec.max_updates || !speed || update < 1) return null;
  const toGo = spec.max_updates - update;
  if (toGo <= 0) return null;
  if (spec.pace === "cinematic") {
    // du/dt = speed u / update, so the remaining time is a logarithm.
    return (update / speed) * Math.log(spec.max_updates / update);
  }
  return toGo / speed;
}
