/**
 * What stands along the axes: updates as epochs or seconds, losses in other units. Pure functions.
 *
 * A position across is told by a `XAxis`, a height by a `Unit`: each makes of updates and of losses,
 * in nats a sequence, what the axis shows, and back.
 *
 * @typedef {{name: string, label: string, of: (update: number) => number,
 *   toUpdate: (value: number) => number, logStart: number, minSpan: number}} XAxis
 *   `logStart` is where a logarithmic axis begins; an axis is never shorter than `minSpan`.
 * @typedef {{name: string, label: string, of: (loss: number) => number,
 *   toNats: (value: number) => number, digits: number}} Unit
 */

/** What can stand across; the first is what goes unsaid. */
export const X_AXES = ["updates", "epochs", "seconds"];

/** The units of the loss; the first is what goes unsaid. */
export const LOSS_UNITS = ["sequence", "character", "bits", "perplexity"];

const MIN_S = 0.01;
const MAX_NATS = 100; // of a run that ran away; more has no perplexity that a number can hold

/**
 * @param {string} name one of X_AXES.
 * @param {Object} curve whose seconds tell of the updates' times; see curve/loss-curve.js.
 * @param {number} updatesPerEpoch
 * @returns {Across} that of updates where no seconds are known.
 */
export function xAxisOf(name, curve, updatesPerEpoch) {
  if (name === "epochs") return proportionalAxis(name, "epochs", updatesPerEpoch);
  const times = name === "seconds" ? timePoints(curve) : null;
  return times ? timeAxis(times) : proportionalAxis("updates", "updates", 1);
}

function proportionalAxis(name, label, updates) {
  return {
    name,
    label,
    of: (update) => update / updates,
    toUpdate: (value) => value * updates,
    logStart: 1 / updates,
    minSpan: 10 / updates,
  };
}

function timeAxis({ updates, seconds }) {
  const first = seconds.find((time) => time > 0) ?? MIN_S;
  return {
    name: "seconds",
    label: "seconds of training",
    of: (update) => interpolated(updates, seconds, update),
    toUpdate: (value) => interpolated(seconds, updates, value),
    logStart: Math.max(first, MIN_S),
    minSpan: 0.1,
  };
}

/** The points of `curve` whose time is known, from the run's start where it is; null of none. */
function timePoints(curve) {
  const start = curve.seconds.findIndex((time) => time !== null);
  if (start < 0 || curve.update.length - start < 2) return null;
  const [updates, seconds] = start === 0 ? [[0], [0]] : [[], []];
  for (let i = start; i < curve.update.length; i += 1) {
    updates.push(curve.update[i]);
    // Pieces that came at different moments may differ by a little: it never falls.
    seconds.push(Math.max(curve.seconds[i] ?? 0, seconds.at(-1) ?? 0));
  }
  return seconds.at(-1) > seconds[0] ? { updates, seconds } : null;
}

/** What belongs to `x` on the line through the points, which goes on beyond its end. */
function interpolated(xs, ys, x) {
  if (x <= xs[0]) return ys[0];
  let low = 0;
  let high = xs.length - 1;
  if (x >= xs[high]) {
    const slope = (ys[high] - ys[low]) / (xs[high] - xs[low]);
    return ys[high] + (x - xs[high]) * slope;
  }
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (xs[middle] <= x) low = middle;
    else high = middle;
  }
  return ys[low] + ((x - xs[low]) / (xs[high] - xs[low])) * (ys[high] - ys[low]);
}

/**
 * @param {string} name one of LOSS_UNITS.
 * @param {number} characters in a sequence.
 * @returns {Unit}
 */
export function unitOf(name, characters) {
  switch (name) {
    case "character":
      return proportionalUnit(name, "nats a character", characters, 2);
    case "bits":
      return proportionalUnit(name, "bits a character", characters * Math.LN2, 2);
    case "perplexity":
      return {
        name,
        label: "perplexity",
        of: (loss) => (loss === null ? null : Math.exp(Math.min(loss / characters, MAX_NATS))),
        toNats: (value) => Math.log(value) * characters,
        digits: 1,
      };
    default:
      return proportionalUnit("sequence", "nats a sequence", 1, 1);
  }
}

const proportionalUnit = (name, label, size, digits) => ({
  name,
  label,
  of: (loss) => (loss === null ? null : loss / size),
  toNats: (value) => value * size,
  digits,
});

/** A size of step that reads well and is not smaller than `size`: 1, 2 or 5 times a power of ten. */
export function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= size * 0.999_999);
}

/**
 * A span of values widened to steps of a round size, so that the axis holds still while the curve
 * grows; on a logarithmic axis, to steps of a few hundredths of its length.
 *
 * @returns {[number, number]}
 */
export function roundSpan(low, high, log) {
  if (log) {
    const [from, to] = [Math.log(Math.max(low, 1e-6)), Math.log(Math.max(high, 2e-6))];
    const step = Math.max(to - from, 0.05) / 24;
    return [
      Math.exp((Math.floor(from / step) - 0.4) * step),
      Math.exp((Math.ceil(to / step) + 0.4) * step),
    ];
  }
  const step = roundStep(Math.max(high - low, (high || 1) * 0.005) / 14);
  return [
    Math.floor((low - step * 0.3) / step) * step,
    Math.ceil((high + step * 0.6) / step) * step,
  ];
}

const TIMES_S = [
  ...[0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30],
  ...[60, 120, 300, 600, 1200, 1800],
  ...[3600, 7200, 10800, 21600, 43200],
  ...[1, 2, 5, 10, 20, 50, 100, 200, 500].map((days) => days * 86400),
];

/**
 * Where an axis of seconds has ticks, and what they say.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} most how many there is room for.
 * @param {boolean} log
 * @returns {{values: number[], labels: string[]}}
 */
export function timeTicks(from, to, most, log) {
  let values;
  if (log) {
    const inView = TIMES_S.filter((time) => time >= from && time <= to);
    const every = Math.max(1, Math.ceil(inView.length / most));
    values = inView.filter((_, i) => (inView.length - 1 - i) % every === 0);
  } else {
    const step = TIMES_S.find((time) => (to - from) / time <= most) ?? TIMES_S.at(-1);
    values = [];
    for (let i = Math.ceil(from / step); i * step <= to; i += 1) values.push(i * step);
  }
  return { values, labels: values.map(timeLabel) };
}

/** 0.5 -> "0.5 s", 90 -> "1:30", 7200 -> "2 h", 172800 -> "2 d". */
export function timeLabel(seconds) {
  const round = (value) => String(Math.round(value * 1000) / 1000);
  if (seconds < 60) return `${round(seconds)} s`;
  const two = (value) => String(value).padStart(2, "0");
  const whole = Math.round(seconds);
  if (whole < 3600) {
    return whole % 60 ? `${Math.floor(whole / 60)}:${two(whole % 60)}` : `${whole / 60} min`;
  }
  if (whole < 172800) {
    const minutes = Math.floor(whole / 60) % 60;
    const hours = Math.floor(whole / 3600);
    return minutes ? `${hours}:${two(minutes)} h` : `${hours} h`;
  }
  return `${round(whole / 86400)} d`;
}
