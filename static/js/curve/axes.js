/**
 * The units of the chart's axes: updates as epochs or seconds, and losses in other units. Pure
 * functions; see `XAxis` and `LossUnit` in types/page.d.ts.
 */

/** The units of the x axis; the first is the default. */
export const X_AXES = ["updates", "epochs", "seconds"];

/** The units of the loss; the first is the default. */
export const LOSS_UNITS = ["sequence", "character", "bits", "perplexity"];

const MIN_S = 0.01;
const MAX_NATS = 100; // the perplexity of a greater loss of a diverged run exceeds a double

/**
 * @param {string} name one of X_AXES.
 * @param {Curve} curve whose seconds give the time of each update.
 * @param {number} updatesPerEpoch
 * @returns {XAxis} the axis of updates if no times are known.
 */
export function xAxisOf(name, curve, updatesPerEpoch) {
  if (name === "epochs") return proportionalAxis(name, "epochs", updatesPerEpoch);
  const times = name === "seconds" ? timePoints(curve) : null;
  return times ? timeAxis(times) : proportionalAxis("updates", "updates", 1);
}

/**
 * @param {string} name
 * @param {string} label
 * @param {number} updates per unit.
 * @returns {XAxis}
 */
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

/**
 * @param {{updates: number[], seconds: number[]}} times
 * @returns {XAxis}
 */
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

/**
 * The points of a curve whose time is known, from the start of the run if possible.
 *
 * @param {Curve} curve
 */
function timePoints(curve) {
  const start = curve.seconds.findIndex((time) => time !== null);
  if (start < 0 || curve.update.length - start < 2) return null;
  const updates = start === 0 ? [0] : [];
  const seconds = start === 0 ? [0] : [];
  for (let i = start; i < curve.update.length; i += 1) {
    updates.push(curve.update[i]);
    // Parts that arrived at different moments may differ slightly: time must not decrease.
    seconds.push(Math.max(curve.seconds[i] ?? 0, seconds.at(-1) ?? 0));
  }
  return seconds[seconds.length - 1] > seconds[0] ? { updates, seconds } : null;
}

/**
 * Piecewise linear interpolation; the last piece is extended beyond the end.
 *
 * @param {number[]} xs ascending.
 * @param {number[]} ys
 * @param {number} x
 */
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
 * @returns {LossUnit}
 */
export function unitOf(name, characters) {
  switch (name) {
    case "character":
      return proportionalUnit(name, "nats per character", characters, 2);
    case "bits":
      return proportionalUnit(name, "bits per character", characters * Math.LN2, 2);
    case "perplexity":
      return {
        name,
        label: "perplexity",
        of: (loss) => (loss === null ? null : Math.exp(Math.min(loss / characters, MAX_NATS))),
        toNats: (value) => Math.log(value) * characters,
        digits: 1,
      };
    default:
      return proportionalUnit("sequence", "nats per sequence", 1, 1);
  }
}

/**
 * @param {string} name
 * @param {string} label
 * @param {number} size in nats per sequence.
 * @param {number} digits
 * @returns {LossUnit}
 */
const proportionalUnit = (name, label, size, digits) => ({
  name,
  label,
  of: (loss) => (loss === null ? null : loss / size),
  toNats: (value) => value * size,
  digits,
});

/**
 * The smallest round step that is not below `size`: 1, 2 or 5 times a power of ten.
 *
 * @param {number} size
 * @returns {number}
 */
function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  const steps = [1, 2, 5, 10].map((factor) => factor * power);
  return steps.find((step) => step >= size * 0.999_999) ?? steps[3];
}

/**
 * Widen a span of values to round steps, so that the axis rarely changes while the curve grows. On
 * a logarithmic axis the steps are a small part of its length.
 *
 * @param {number} low
 * @param {number} high
 * @param {boolean} log
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
  // A loss is never negative: room below 0 would only need wider labels, with a minus sign.
  const least = low >= 0 ? 0 : -Infinity;
  return [
    Math.max(Math.floor((low - step * 0.3) / step) * step, least),
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
 * The ticks of an axis of seconds, with their labels.
 *
 * @param {number} from
 * @param {number} to
 * @param {number} most the greatest number of ticks that fit.
 * @param {boolean} log
 * @returns {{values: number[], labels: string[]}}
 */
export function timeTicks(from, to, most, log) {
  /** @type {number[]} */
  let values;
  if (log) {
    const inView = TIMES_S.filter((time) => time >= from && time <= to);
    const every = Math.max(1, Math.ceil(inView.length / most));
    values = inView.filter((_, i) => (inView.length - 1 - i) % every === 0);
  } else {
    const step = TIMES_S.find((time) => (to - from) / time <= most) ?? TIMES_S[TIMES_S.length - 1];
    values = [];
    for (let i = Math.ceil(from / step); i * step <= to; i += 1) values.push(i * step);
  }
  return { values, labels: values.map(timeLabel) };
}

/**
 * 0.5 -> "0.5 s", 90 -> "1:30", 7200 -> "2 h", 172800 -> "2 d".
 *
 * @param {number} seconds
 */
export function timeLabel(seconds) {
  const round = (/** @type {number} */ value) => String(Math.round(value * 1000) / 1000);
  if (seconds < 60) return `${round(seconds)} s`;
  const two = (/** @type {number} */ value) => String(value).padStart(2, "0");
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
