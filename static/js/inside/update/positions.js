/**
 * The positions that one goes through in an update, and a sentence for each. Pure functions.
 *
 * The start, the steps forward, the loss, the steps back, and the update of the parameters.
 */

import { characterName } from "../../lib/book-pages.js";
import * as format from "../../lib/format.js";
import { characterLabel } from "../../standalone/characters.js";

/** @typedef {"start" | "forward" | "loss" | "backward" | "sum" | "clip" | "step"} Phase */
/** @typedef {{phase: Phase, step: number}} Position `step` counts from 1; 0: none. */

const DIGITS = 3;

/** A norm with three digits: 0.0120, 41.2, 1.2e−9. @param {number | null | undefined} value */
export function norm(value) {
  if (value === null || value === undefined || Number.isNaN(value)) return "not finite";
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 999.5 && size < 1e6) return format.count(value).replace("-", "−");
  const text = size < 1e-3 || size >= 1e6 ? value.toExponential(1) : value.toPrecision(DIGITS);
  return text.replaceAll("-", "−").replace("e+", "e");
}

/** A character in a sentence: ‘Q’, a space, U+200D. @param {string} character */
export function nameOf(character) {
  const label = characterLabel(character);
  if (label.startsWith("U+")) return label;
  return characterName(label.endsWith(character) ? label : character);
}

/** How many positions an update has. @param {UnrolledUpdate} update */
export const positionCount = ({ inputs }) => 2 * inputs.length + 5;

/**
 * @param {UnrolledUpdate} update
 * @param {number} index from 0
 * @returns {Position}
 */
export function positionAt({ inputs: { length: n } }, index) {
  if (index <= 0) return { phase: "start", step: 0 };
  if (index <= n) return { phase: "forward", step: index };
  if (index === n + 1) return { phase: "loss", step: 0 };
  if (index <= 2 * n + 1) return { phase: "backward", step: 2 * n + 2 - index };
  const last = /** @type {Phase[]} */ (["sum", "clip", "step"]);
  return { phase: last[Math.min(index - 2 * n - 2, 2)], step: 0 };
}

/**
 * A few words beside the slider.
 *
 * @param {UnrolledUpdate} update
 * @param {Position} position
 */
export function positionLabel({ inputs: { length: n } }, { phase, step }) {
  if (phase === "forward" || phase === "backward") return `${phase} ${step} of ${n}`;
  const labels = {
    start: "start",
    loss: "loss",
    sum: "sum over time",
    clip: "clipping",
    step: "step of the optimizer",
  };
  return labels[phase];
}

/**
 * A sentence or two on what happens at a position.
 *
 * @param {UnrolledUpdate} update
 * @param {Position} position
 * @param {RunSpec} spec
 * @returns {string}
 */
export function caption(update, position, spec) {
  const of = {
    start: startCaption,
    forward: forwardCaption,
    loss: lossCaption,
    backward: backwardCaption,
    sum: sumCaption,
    clip: clipCaption,
    step: stepCaption,
  };
  return of[position.phase](update, position.step, spec);
}

/** @param {UnrolledUpdate} update */
function startCaption({ zero_state: zero, sequence_length: T, streams, update, dropout }) {
  const state = zero
    ? "The state is zero before the first step: the network has read nothing before."
    : "The network starts with the state in which the update before left it.";
  const masks = dropout
    ? ` Dropout removes ${format.share(dropout)} of the state between layers, by the masks of` +
      ` update ${format.count(update)}.`
    : "";
  const shown = streams > 1 ? ` The first of ${format.count(streams)} streams is shown.` : "";
  return `${state} It will read ${format.count(T)} characters.${shown}${masks}`;
}

/**
 * @param {UnrolledUpdate} update
 * @param {number} step
 */
function forwardCaption(update, step) {
  const i = step - 1;
  const [[best, p]] = update.top[i];
  const target = update.targets[i];
  const reads = `Step ${step} reads ${nameOf(update.inputs[i])}.`;
  const loss = `loss ${format.fine(update.loss[i])} nats`;
  if (best === target) {
    const expects = `The network expects ${nameOf(best)} with ${chance(p)}`;
    return `${reads} ${expects}, and that is the next character: ${loss}.`;
  }
  const given = chance(update.target_probability[i]);
  return (
    `${reads} The network gives ${nameOf(best)} ${chance(p)}. ` +
    `The next character is ${nameOf(target)}, which it gave ${given}: ${loss}.`
  );
}

/** A probability: 31%, 0.04%. @param {number | null} p */
export const chance = (p) =>
  p !== null && p < 0.0095 ? `${Number((100 * p).toPrecision(1))}%` : format.share(p);

/** @param {UnrolledUpdate} update */
function lossCaption({ loss, sequence_length: T, streams, total }) {
  const n = loss.length;
  const sum = loss.reduce((whole, each) => whole + (each ?? NaN), 0);
  const steps = T > n ? `the ${n} steps shown` : `its ${n} steps`;
  const rest = format.count(T - n);
  const more = T > n ? ` The ${rest} steps after them count in the update, too.` : "";
  const mean =
    streams > 1 || T > n
      ? ` The loss of the update${streams > 1 ? ", the mean over all streams," : ""} is ` +
        `${format.loss(total.loss)} nats.`
      : "";
  return (
    `The losses of ${steps} add up to ${format.loss(sum)} nats.${more}${mean} ` +
    "Now the gradient of the loss flows back, from the last step to the first."
  );
}

/**
 * @param {UnrolledUpdate} update
 * @param {number} step
 */
function backwardCaption({ layers, inputs, sequence_length: T }, step) {
  const layer = layers[layers.length - 1];
  const own = norm(layer.from_output[step - 1]);
  const where = layers.length > 1 ? ` in layer ${layers.length}` : "";
  const together = norm(layer.together[step - 1]);
  if (step === T) {
    return (
      `Back at step ${step}, the last one, the gradient comes only from the step's own prediction` +
      `${where}: its norm is ${own}.`
    );
  }
  const later = norm(layer.from_later.h[step]);
  const others = Object.entries(layer.from_later).filter(([symbol]) => symbol !== "h");
  const cell = others.map(
    ([symbol, norms]) => ` Through the state ${symbol} comes one of norm ${norm(norms[step])}.`,
  );
  const from = step === inputs.length ? "the steps that are not shown" : `step ${step + 1}`;
  return (
    `Back at step ${step}${where}: a gradient of norm ${own} comes from the step's own prediction` +
    `, and ${later} from ${from}. Together they have norm ${together}: the gradient of the loss ` +
    `with respect to the state.${cell.join("")}`
  );
}

/** @param {UnrolledUpdate} update */
function sumCaption({ layers, parameters, number }) {
  const found = parameters.find(({ name }) => name === number.parameter) ?? parameters[0];
  const terms = found.terms.reduce((whole, each) => whole + (each ?? NaN), 0);
  const dropped = norm(layers[layers.length - 1].from_later.h[0]);
  return (
    `The gradient of each parameter is the sum of its steps' terms. The norms of the terms of ` +
    `${found.name} add up to ${norm(terms)}, the norm of their sum is ` +
    `${norm(found.sum_of_terms)}. A gradient of norm ${dropped} reaches the state before the ` +
    "sequence, and ends there."
  );
}

/**
 * @param {UnrolledUpdate} update
 * @param {number} _step
 * @param {RunSpec} spec
 */
function clipCaption({ total, streams }, _step, { clip, clip_mode: mode }) {
  const mean = streams > 1 ? `, the mean over ${format.count(streams)} streams,` : "";
  const whole = `The whole gradient${mean} has norm ${norm(total.gradient)}.`;
  if (clip === null) return `${whole} This run does not clip it.`;
  if (!total.clipped_numbers) {
    const within = mode === "norm" ? "It is at most " : "None of its numbers is beyond ±";
    return `${whole} ${within}${clip}, so clipping changes nothing.`;
  }
  if (mode === "norm") return `${whole} Clipping scales it down to norm ${norm(total.clipped)}.`;
  const some = `${format.count(total.clipped_numbers)} of its ${format.count(total.numbers)}`;
  const after = norm(total.clipped);
  return `${whole} Clipping limits ${some} numbers to ±${clip}; the norm is then ${after}.`;
}

/** @param {UnrolledUpdate} update */
function stepCaption({ total, update, learning_rate: rate }) {
  const share = (total.step ?? NaN) / (total.value ?? NaN);
  const part = Number.isFinite(share) ? `, ${norm(100 * share)}% of their own norm` : "";
  return (
    `With the learning rate ${rate}, update ${format.count(update)} moves the parameters by a ` +
    `step of norm ${norm(total.step)}${part}. ${changeOfLoss(total)}`
  );
}

/**
 * How much an update changes the loss of what it has read.
 *
 * @param {WholeUpdate} total
 * @param {boolean} [past]
 */
export function changeOfLoss({ loss, loss_after: after }, past = false) {
  if (loss === null || after === null) return "The loss is not finite.";
  const [falls, rises] = past ? ["fell", "rose"] : ["falls", "rises"];
  const verb = after < loss ? falls : rises;
  const share = format.loss((100 * Math.abs(after - loss)) / loss);
  return (
    `On the same characters the loss ${verb} from ${format.fine(loss)} to ${format.fine(after)} ` +
    `nats, by ${share}%.`
  );
}
