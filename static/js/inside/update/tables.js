/** The steps of an update as a table, and the update of each parameter. */

import { equation } from "../../course/equation.js";
import { el, find, setText, svg } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { chance, nameOf, norm } from "./positions.js";

const BAR = { step: 6, gap: 1, height: 28 };

/** W1 as W with an index. @param {string} name */
const symbol = (name) => equation(name.replace(/^(\D+)(\d+)$/, "$1_{$2}"));

/** @param {UnrolledUpdate} update */
export function showSteps(update) {
  const { inputs, targets, top, target_probability: p, loss, layers } = update;
  const { from_output: own, from_later: later, together } = layers[layers.length - 1];
  const symbols = Object.keys(later);
  const heads = [
    ...["step", "reads", "likeliest", "next", "its probability", "loss, nats"],
    "gradient from its prediction",
    ...symbols.map((each) => `from later, through ${each}`),
    "together",
  ];
  find("#update-steps-head").replaceChildren(
    el("tr", {}, ...heads.map((text) => el("th", { scope: "col", text }))),
  );
  const rows = inputs.map((character, i) => [
    nameOf(character),
    `${nameOf(top[i][0][0])} ${chance(top[i][0][1])}`,
    nameOf(targets[i]),
    chance(p[i]),
    format.fine(loss[i]),
    norm(own[i]),
    ...symbols.map((each) => norm(later[each][i + 1])),
    norm(together[i]),
  ]);
  find("#update-steps").replaceChildren(
    ...rows.map((cells, i) =>
      el(
        "tr",
        {},
        el("th", { scope: "row", text: format.count(i + 1) }),
        ...cells.map((text) => el("td", { text })),
      ),
    ),
  );
}

/** @param {UnrolledUpdate} update */
export function showParameters(update) {
  const { parameters, total } = update;
  find("#update-rows").replaceChildren(
    ...parameters.map((each) => row(symbol(each.name), each, bars(each))),
    row("all", total, ""),
  );
  find("#update-number").replaceChildren(...numberSentence(update));
}

/**
 * Mark the bars of the steps that the gradient has reached.
 *
 * @param {number} from the earliest step reached.
 */
export function revealBars(from) {
  for (const bar of document.querySelectorAll("#update-rows rect")) {
    bar.toggleAttribute("data-back", Number(bar.getAttribute("data-step")) >= from);
  }
}

/**
 * @param {Node | string} name
 * @param {{gradient: number | null, clipped: number | null, step: number | null,
 *   value: number | null}} norms
 * @param {Node | string} terms
 */
const row = (name, { gradient, clipped, step, value }, terms) =>
  el(
    "tr",
    {},
    el("th", { scope: "row" }, name),
    el("td", {}, terms),
    ...[gradient, clipped, step, value].map((each) => el("td", { text: norm(each) })),
  );

/** @param {ParameterSteps} parameter */
function bars({ name, terms }) {
  const highest = Math.max(...terms.map((each) => each ?? 0), 1e-30);
  const greatest = terms.indexOf(highest) + 1;
  const width = terms.length * BAR.step;
  const label =
    `The norm of each step's term for ${name}; ` +
    `the greatest is ${norm(highest)}, of step ${greatest}`;
  const box = { viewBox: `0 0 ${width} ${BAR.height}`, preserveAspectRatio: "none" };
  return svg(
    "svg",
    { class: "term-bars", role: "img", "aria-label": label, ...box },
    ...terms.map((each, i) => {
      const height = Math.max((BAR.height * (each ?? 0)) / highest, 0.5);
      return svg("rect", {
        "data-step": i + 1,
        x: i * BAR.step,
        y: BAR.height - height,
        width: BAR.step - BAR.gap,
        height,
      });
    }),
  );
}

/** @param {UnrolledUpdate} update */
function numberSentence({ number }) {
  const { parameter, index, value, gradient, clipped, step } = number;
  const [row, column] = index.map(format.count);
  const kept = clipped === gradient ? "" : ` and is clipped to ${norm(clipped)}`;
  return [
    `For example, the number in row ${row} and column ${column} of `,
    symbol(parameter),
    ` is ${norm(value)}. Its gradient, ${norm(gradient)}, is the largest in size there${kept}. ` +
      `The optimizer adds ${norm(step)}, so it becomes ${norm((value ?? NaN) + (step ?? NaN))}.`,
  ];
}

/**
 * @param {UnrolledUpdate} update
 * @param {RunSpec} spec
 */
export function showMethod({ learning_rate: rate }, spec) {
  const shown = [spec.cell, spec.clip_mode, spec.optimizer];
  for (const part of /** @type {NodeListOf<HTMLElement>} */ (
    document.querySelectorAll("#update-explanations [data-of]")
  )) {
    part.hidden = !shown.includes(part.dataset.of ?? "");
  }
  setText(find("#update-clip"), spec.clip === null ? "no limit" : String(spec.clip));
  setText(find("#update-rate"), String(rate));
  setText(find("#update-optimizer-words"), OPTIMIZER_WORDS[spec.optimizer] ?? "");
}

/** @type {Record<string, string>} */
const OPTIMIZER_WORDS = {
  adagrad:
    "AdaGrad divides the gradient of each number by the root of the sum of its squares so far: " +
    "numbers that often had large gradients take small steps.",
  adam:
    "Adam divides the mean of the recent gradients of each number by the root of the mean of " +
    "their squares: most steps are about as long as the learning rate.",
  rmsprop:
    "RMSProp divides the gradient of each number by the root of the mean of its recent squares: " +
    "most steps are about as long as the learning rate.",
  sgd:
    "With momentum, the step is a sum of all gradients so far, in which older ones count less " +
    "and less.",
};
