/** The verdict, and the table of the parameters. */

import { passes, powerText, errorText, worst } from "./relative-errors.js";
import { MEANINGS } from "./parameter-meanings.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

const METHODS = ["complex_step", "central_difference"];

/** A network in words: "lstm, 1 layer of 20 units, sequences of 10, batch 1, seed 0". */
export function networkText(request) {
  const { cell, layers, hidden_size: hidden, sequence_length: length } = request;
  const { batch_size: batch, seed, text } = request;
  return [
    cell,
    `${format.plural(layers, "layer", "layers")} of ${format.plural(hidden, "unit", "units")}`,
    `sequences of ${format.count(length)}`,
    `batch ${format.count(batch)}`,
    text ? `the text “${Array.from(text.replace(/\s+/gu, " ")).slice(0, 24).join("")}…”` : "",
    `seed ${seed}`,
  ]
    .filter(Boolean)
    .join(", ");
}

/** There is no result: an earlier one must not stay beside another network. */
export const showNoVerdict = (request) => showWithoutResult(request, "–", "Not checked.");

export const showChecking = (request) => showWithoutResult(request, "…", "Checking …");

function showWithoutResult(request, mark, title) {
  find("#check-verdict-box").dataset.tone = "none";
  setText(find("#check-mark"), mark);
  setText(find("#check-verdict"), title);
  setText(find("#check-of"), networkText(request));
  setText(find("#check-worst"), "");
  find("#check-rows").replaceChildren();
}

/** Show the result of a check of `request`; `onPurpose` if a mistake was made on purpose. */
export function showVerdict(check, request, onPurpose) {
  setText(find("#check-of"), networkText(request));
  const { title, tone } = verdictOf(check, onPurpose);
  find("#check-verdict-box").dataset.tone = tone;
  setText(find("#check-mark"), check.passed ? "✓" : "✗");
  setText(find("#check-verdict"), title);
  setText(find("#check-worst"), figures(check));
  for (const method of METHODS) {
    setText(find(`#check-below-${method}`), `below ${powerText(check.thresholds[method])}`);
  }
  find("#check-rows").replaceChildren(...check.parameters.map((p) => row(p, check.thresholds)));
}

function verdictOf(check, onPurpose) {
  if (check.passed) return { title: "The gradients are correct.", tone: "passed" };
  return onPurpose
    ? { title: "The gradients are correct, but look wrong.", tone: "failed" }
    : { title: "The check failed.", tone: "failed" };
}

/** "1,650 entries, each against two numerical derivatives. ..." */
function figures({ parameters, dtype, thresholds }) {
  const sizes = parameters.map(({ shape }) => shape.reduce((a, b) => a * b, 1));
  const entries = sizes.reduce((a, b) => a + b, 0);
  const [complex, central] = METHODS.map((method) => {
    const most = worst(parameters.map((parameter) => parameter[method]));
    const sign = passes(most, thresholds[method]) ? "below" : "not below";
    return `${errorText(most)} (${sign} ${powerText(thresholds[method])})`;
  });
  return (
    `${format.count(entries)} entries in ${dtype}, each compared with two numerical derivatives. ` +
    `The greatest relative error is ${complex} by complex step, ${central} by central difference.`
  );
}

function row(parameter, thresholds) {
  const { name, shape, passed } = parameter;
  const error = (method) => {
    const fine = passes(parameter[method], thresholds[method]);
    return el("td", { class: fine ? "" : "failed", text: errorText(parameter[method]) });
  };
  return el(
    "tr",
    {},
    el("th", { scope: "row" }, name, " ", el("small", { text: meaning(name) })),
    el("td", { text: shape.join(" × ") }),
    ...METHODS.map(error),
    el("td", { class: passed ? "passed" : "failed", text: passed ? "✓ correct" : "✗ wrong" }),
  );
}

function meaning(name) {
  const layer = Number(name.slice(1));
  if (name[0] === "U" && layer > 1) return "from the layer below";
  return MEANINGS[name[0]] ?? "";
}
