/**
 * The losses on held-out text: one at each sample, and so far fewer than updates. Pure functions.
 *
 * @typedef {{update: number[], loss: (number | null)[]}} Validation
 */

/** More points than this are thinned to half. */
export const LIMIT_POINTS = 1000;

/** A run's validation as the server keeps it, null or absent for a run without. */
export const validationOf = (part) =>
  thinned({ update: [...(part?.update ?? [])], loss: [...(part?.loss ?? [])] });

/** `validation` with what a new sample brings. */
export function addSample(validation, { update, validation_loss: loss }) {
  if (typeof loss !== "number" || update <= (validation.update.at(-1) ?? -1)) return validation;
  return thinned({
    update: [...validation.update, update],
    loss: [...validation.loss, loss],
  });
}

/** The points between two updates, with one more on each side to draw the line in. */
export function validationInView({ update, loss }, from, to) {
  const start = Math.max(0, update.findIndex((at) => at >= from) - 1);
  const beyond = update.findIndex((at) => at > to);
  const end = beyond < 0 ? update.length : beyond + 1;
  return { update: update.slice(start, end), loss: loss.slice(start, end) };
}

/** The lowest point, null where there is none. */
export function lowestLoss({ update, loss }) {
  const finite = loss.filter(Number.isFinite);
  if (!finite.length) return null;
  const least = finite.reduce((a, b) => Math.min(a, b));
  return { update: update[loss.indexOf(least)], loss: least };
}

/** Every second point of too many, but always the lowest and the last. */
function thinned(validation) {
  const { update, loss } = validation;
  if (update.length <= LIMIT_POINTS) return validation;
  const least = lowestLoss(validation)?.update;
  const last = update.length - 1;
  const kept = update.map((at, i) => i % 2 === 0 || i === last || at === least);
  return { update: update.filter((_, i) => kept[i]), loss: loss.filter((_, i) => kept[i]) };
}
