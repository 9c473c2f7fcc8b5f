/** The losses on held-out text: one at each sample, far fewer than updates. Pure functions. */

/** Of more points than this, every second one is kept. */
const LIMIT_POINTS = 1000;

/**
 * @param {ValidationLoss | null | undefined} part null or undefined for a run without validation.
 * @returns {ValidationLoss}
 */
export const validationOf = (part) =>
  bounded({ update: [...(part?.update ?? [])], loss: [...(part?.loss ?? [])] });

/**
 * `validation` with the loss of a new sample.
 *
 * @param {ValidationLoss} validation
 * @param {Sample} sample
 */
export function addSample(validation, { update, validation_loss: loss }) {
  if (typeof loss !== "number" || update <= (validation.update.at(-1) ?? -1)) return validation;
  return bounded({
    update: [...validation.update, update],
    loss: [...validation.loss, loss],
  });
}

/**
 * The points between two updates, with one more on each side to draw the line to.
 *
 * @param {ValidationLoss} validation
 * @param {number} from
 * @param {number} to
 */
export function validationInView({ update, loss }, from, to) {
  const start = Math.max(0, update.findIndex((at) => at >= from) - 1);
  const beyond = update.findIndex((at) => at > to);
  const end = beyond < 0 ? update.length : beyond + 1;
  return { update: update.slice(start, end), loss: loss.slice(start, end) };
}

/**
 * The lowest point; null if there is none.
 *
 * @param {ValidationLoss} validation
 */
export function lowestLoss({ update, loss }) {
  const finite = loss.flatMap((each) => (each !== null && Number.isFinite(each) ? [each] : []));
  if (!finite.length) return null;
  const least = finite.reduce((a, b) => Math.min(a, b));
  return { update: update[loss.indexOf(least)], loss: least };
}

/**
 * Every second point if there are too many, but always the lowest and the last.
 *
 * @param {ValidationLoss} validation
 */
function bounded(validation) {
  const { update, loss } = validation;
  if (update.length <= LIMIT_POINTS) return validation;
  const least = lowestLoss(validation)?.update;
  const last = update.length - 1;
  const kept = update.map((at, i) => i % 2 === 0 || i === last || at === least);
  return { update: update.filter((_, i) => kept[i]), loss: loss.filter((_, i) => kept[i]) };
}
