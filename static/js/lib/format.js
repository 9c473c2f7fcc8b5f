/** Numbers, times and names as text. */

/** @typedef {number | null | undefined} Figure */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const oneDecimal = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 1,
  maximumFractionDigits: 1,
});
const twoDecimals = new Intl.NumberFormat("en-US", {
  minimumFractionDigits: 2,
  maximumFractionDigits: 2,
});

/** The placeholder for a figure that is not known yet. */
export const NO_VALUE = "–";

/**
 * @param {Figure} value
 * @returns {value is number}
 */
function known(value) {
  return Number.isFinite(value);
}

/** 12340 -> "12,340". @param {Figure} value */
export const count = (value) => (known(value) ? whole.format(value) : NO_VALUE);

/** A loss in nats per sequence: 50.63 -> "50.6". @param {Figure} value */
export const loss = (value) => (known(value) ? oneDecimal.format(value) : NO_VALUE);

/** A loss in nats per character: 2.0251 -> "2.03". @param {Figure} value */
export const fine = (value) => (known(value) ? twoDecimals.format(value) : NO_VALUE);

/** A small number without trailing zeros: 4.5 -> "4.5", 10 -> "10". @param {Figure} value */
export const plain = (value) => (known(value) ? String(value) : NO_VALUE);

/**
 * A figure with one or two decimals.
 *
 * @param {Figure} value
 * @param {number} digits
 */
export const rounded = (value, digits) => (digits === 1 ? loss(value) : fine(value));

/** A share: 0.637 -> "64%". @param {Figure} value */
export const share = (value) => (known(value) ? `${whole.format(value * 100)}%` : NO_VALUE);

/**
 * A probability: 0.637 -> "64%", 0.0123 -> "1.2%", 0.00042 -> "0.04%".
 *
 * @param {Figure} value
 */
export function probability(value) {
  if (!known(value)) return NO_VALUE;
  if (value >= 0.0995) return share(value);
  if (value > 0 && value < 0.00005) return "<0.01%";
  return `${value >= 0.00995 ? loss(value * 100) : fine(value * 100)}%`;
}

/** Updates per second: an integer from ten on, one decimal below. @param {number} value */
export const speed = (value) => (value > 0 && value < 9.95 ? loss(value) : count(value));

/** 3723 s -> "1:02:03"; 71 s -> "1:11"; more than four days -> "5 days". @param {Figure} seconds */
export function duration(seconds) {
  if (!known(seconds) || seconds < 0) return NO_VALUE;
  const total = Math.round(seconds);
  if (total > 96 * 3600) return `${count(total / 86400)} days`;
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  return hours ? `${hours}:${two(minutes)}:${two(total % 60)}` : `${minutes}:${two(total % 60)}`;
}

/**
 * A time in words, exact enough to plan with: 42 s -> "42 s", 328 s -> "5 min 28 s", 1468 s ->
 * "24 min", 3900 s -> "1 h 05 min".
 *
 * @param {Figure} seconds
 */
export function timeSpan(seconds) {
  if (!known(seconds) || seconds < 0) return NO_VALUE;
  const total = Math.round(seconds);
  const minutes = Math.floor(total / 60);
  const hours = Math.floor(minutes / 60);
  const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
  if (total < 60) return `${total} s`;
  if (minutes < 10) return total % 60 ? `${minutes} min ${two(total % 60)} s` : `${minutes} min`;
  if (hours < 1) return `${minutes} min`;
  if (hours < 10) return minutes % 60 ? `${hours} h ${two(minutes % 60)} min` : `${hours} h`;
  return hours <= 96 ? `${hours} h` : `${count(total / 86400)} days`;
}

/**
 * Elapsed time: 8.83 s -> "8.8 s"; from a hundred seconds on as a duration.
 *
 * @param {Figure} seconds
 */
export const elapsed = (seconds) =>
  known(seconds) && seconds < 99.95 ? `${loss(seconds)} s` : duration(seconds);

/** 321456 -> "314 kB". @param {Figure} value */
export function bytes(value) {
  if (!known(value)) return NO_VALUE;
  if (value < 1024) return `${count(value)} bytes`;
  if (value < 1024 * 1024) return `${count(value / 1024)} kB`;
  return `${loss(value / 1024 / 1024)} MB`;
}

/**
 * "1 word", "212 words".
 *
 * @param {number} value
 * @param {string} one
 * @param {string} many
 */
export const plural = (value, one, many) => `${count(value)} ${value === 1 ? one : many}`;

/** The time of day of an ISO time, in the user's time zone. @param {string} iso */
export function clock(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime())
    ? ""
    : at.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}

/** The date and the time of an ISO time, in the user's time zone. @param {string} iso */
export const dateAndTime = (iso) =>
  new Date(iso).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "medium" });

// Kept: to create a format takes longer than to use it, and lists have a thousand times.
const DAY_AND_TIME = new Intl.DateTimeFormat("en-GB", {
  ...{ day: "numeric", month: "short" },
  ...{ hour: "2-digit", minute: "2-digit" },
});

/** "3 Jan, 14:05", in the user's time zone. @param {string} iso */
export const dayAndTime = (iso) => DAY_AND_TIME.format(new Date(iso));

/** The time of day to the second. @param {number} ms milliseconds since 1970 */
export const timeOfDay = (ms) => new Date(ms).toLocaleTimeString("en-GB");

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;

/**
 * Isolate right-to-left text within a sentence, so that it does not reorder the words around it.
 *
 * @param {string} text
 */
export const isolateDirection = (text) => (RIGHT_TO_LEFT.test(text) ? `\u2068${text}\u2069` : text);

/** @type {Record<string, string>} */
const STATES = {
  queued: "waiting for a free core",
  running: "training",
  paused: "paused",
  finished: "finished",
  stopped: "stopped",
  failed: "failed",
  interrupted: "interrupted",
};

/**
 * The state of a run in a few words, or in one.
 *
 * @param {string} state
 * @param {boolean} [short]
 */
export const stateLabel = (state, short = false) =>
  short && state === "queued" ? "waiting" : (STATES[state] ?? state);

const UNSETTLED = ["queued", "running", "paused"];

/**
 * The state that a page shows of a run: "was training" if the page is not current, since the run
 * may have ended.
 *
 * @param {string} state
 * @param {boolean} outdated
 * @param {boolean} [short]
 */
export function knownState(state, outdated, short = false) {
  const label = stateLabel(state, short);
  return outdated && UNSETTLED.includes(state) ? `was ${label}` : label;
}

/** The name of the machine on which the server runs. */
const SERVER = "server";

/**
 * " on lab-01": where a run trains; nothing for the server's own machine, where all runs train that
 * have no cluster.
 *
 * @param {string | null | undefined} machine
 */
export const onMachine = (machine) => (machine && machine !== SERVER ? ` on ${machine}` : "");

const MAX_JOINED = 3;

/**
 * ["Orla", "Vane"] -> "Orla and Vane"; of many, the first two and a count.
 *
 * @param {string[]} words
 */
export function joinWords(words) {
  if (words.length > MAX_JOINED) {
    return `${words.slice(0, MAX_JOINED - 1).join(", ")} and ${words.length - MAX_JOINED + 1} more`;
  }
  return listWords(words);
}

/**
 * All of some words as a list in a sentence: "width, depth and rate".
 *
 * @param {string[]} words
 */
export const listWords = (words) =>
  words.length > 1 ? `${words.slice(0, -1).join(", ")} and ${words.at(-1)}` : words.join("");
