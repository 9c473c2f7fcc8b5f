/** The unrolled network: one column for each step, from the character read to the loss. */

import { el, find, reducedMotion, svg } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { onTheme } from "../../lib/theme.js";
import { stepOf } from "../../ui/tints.js";
import { equation } from "../../course/equation.js";
import { characterLabel } from "../../standalone/characters.js";
import { chance, nameOf, norm } from "./positions.js";
import { drawStrip, rowsOf, stripColours } from "./strips.js";

const SHOWN_CHARACTERS = 3;
const VISIBLE = new Map([
  [" ", "␣"],
  ["\n", "↵"],
  ["\t", "⇥"],
  ["\u00a0", "⍽"],
]);
const WIDEST_ARROW = 4;

/**
 * An element with a character; one without a glyph as its code.
 *
 * @param {"b" | "span"} tag
 * @param {string} character
 * @param {string} [classes]
 */
function glyph(tag, character, classes = "") {
  const text = VISIBLE.get(character) ?? characterLabel(character);
  if (!text.startsWith("U+")) return el(tag, { class: classes, text });
  return el(tag, { class: `${classes} step-code`, text: text.slice("U+".length) });
}

export class UnrolledNetwork {
  #scroller = find("#unrolled");
  #grid = find("#unrolled-grid");
  /** @type {HTMLElement[]} the state before the sequence, then the steps. */
  #columns = [];
  /** @type {{canvas: HTMLCanvasElement, values: Int8Array}[]} */
  #strips = [];

  /** @param {(step: number) => void} choose called with a step that was clicked. */
  constructor(choose) {
    this.#grid.addEventListener("click", (/** @type {any} */ { target }) => {
      const step = Number(target.closest("[data-step]")?.dataset.step);
      if (step) choose(step);
    });
    onTheme(() => this.#paint());
  }

  /** @param {UnrolledUpdate} update */
  show(update) {
    this.#strips = [];
    const { layers, sequence_length: T } = update;
    const states = layers.map(({ hidden }) => rowsOf(hidden));
    const gradients = layers.map(({ gradients: matrix }) => rowsOf(matrix));
    const scale = scaleOf(update);
    const steps = update.inputs.map((_, i) => this.#step(update, i, states, gradients, scale));
    const before = this.#before(update, states);
    const more = T - steps.length;
    const rest = more && el("div", { class: "unrolled-more" }, `${format.count(more)} more`);
    this.#columns = [before, ...steps];
    this.#grid.style.setProperty("--layers", String(layers.length));
    this.#grid.style.setProperty("--rows", String(rowCount(layers.length)));
    this.#grid.replaceChildren(labels(layers), ...this.#columns, ...(rest ? [rest] : []));
    this.#scroller.scrollLeft = 0;
    this.#paint();
  }

  /**
   * Show what is known at a position.
   *
   * @param {import("./positions.js").Position} position
   */
  reveal({ phase, step }) {
    const forwardUpTo = phase === "start" ? 0 : phase === "forward" ? step : Infinity;
    const backDownTo = { start: Infinity, forward: Infinity, loss: Infinity, backward: step };
    const backTo = backDownTo[phase] ?? 0;
    this.#columns.forEach((column, i) => {
      column.toggleAttribute("data-read", i <= forwardUpTo);
      column.toggleAttribute("data-back", i >= backTo);
      column.toggleAttribute("data-now", i === step && step > 0);
    });
    const column = this.#columns[phase === "loss" ? this.#columns.length - 1 : step];
    if (phase !== "clip" && phase !== "step") this.#bringIntoView(column);
  }

  /** @param {HTMLElement} column */
  #bringIntoView({ offsetLeft, offsetWidth }) {
    const { clientWidth, scrollLeft } = this.#scroller;
    const labelled = this.#grid.firstElementChild?.clientWidth ?? 0;
    const margin = 2 * offsetWidth;
    const behavior = reducedMotion.matches ? "auto" : "smooth";
    if (offsetLeft - margin < scrollLeft + labelled) {
      this.#scroller.scrollTo({ left: offsetLeft - margin - labelled, behavior });
    } else if (offsetLeft + offsetWidth + margin > scrollLeft + clientWidth) {
      this.#scroller.scrollTo({ left: offsetLeft + offsetWidth + margin - clientWidth, behavior });
    }
  }

  /**
   * @param {UnrolledUpdate} update
   * @param {Int8Array[][]} states
   */
  #before({ layers, zero_state: zero }, states) {
    const parts = [el("span"), el("span"), el("span")];
    for (let layer = layers.length - 1; layer >= 0; layer -= 1) {
      parts.push(el("span"), this.#state(states[layer][0], null, []));
      parts.push(el("span", { class: "step-figures" }));
    }
    parts.push(el("span"), el("span", { class: "step-input", text: zero ? "zero" : "carried" }));
    return el("div", { class: "step step-before" }, ...parts, el("span", { text: "before" }));
  }

  /**
   * @param {UnrolledUpdate} update
   * @param {number} i from 0
   * @param {Int8Array[][]} states
   * @param {Int8Array[][]} gradients
   * @param {number} scale the norm of the widest arrow.
   */
  #step(update, i, states, gradients, scale) {
    const { layers, inputs, targets } = update;
    const parts = [lossBar(update, i), targetCell(update, i), predictions(update, i)];
    for (let number = layers.length - 1; number >= 0; number -= 1) {
      const layer = layers[number];
      const own = layer.from_output[i];
      const arrows = [
        arrow("forward", "right"),
        arrow("backward", "left", weight(layer.from_later.h[i], scale)),
      ];
      const later = Object.values(layer.from_later).map((norms) => norms[i + 1]);
      const down = arrow("backward", "down", weight(own, scale));
      parts.push(
        el("span", { class: "step-flow" }, arrow("forward", "up"), down),
        this.#state(states[number][i + 1], gradients[number][i], arrows),
        figures([own, ...later, layer.together[i]]),
      );
    }
    return el(
      "div",
      { class: "step", "data-step": i + 1, title: `${nameOf(inputs[i])} → ${nameOf(targets[i])}` },
      ...parts,
      el("span", { class: "step-flow" }, arrow("forward", "up")),
      glyph("span", inputs[i], "step-input"),
      el("span", { class: "step-number", text: format.count(i + 1) }),
    );
  }

  /**
   * @param {Int8Array} state
   * @param {Int8Array | null} gradient
   * @param {Element[]} arrows
   */
  #state(state, gradient, arrows) {
    const strips = [this.#strip("strip", state)];
    if (gradient) strips.push(this.#strip("strip strip-gradient", gradient));
    return el("span", { class: "step-state" }, el("span", {}, ...arrows), ...strips);
  }

  /**
   * @param {string} classes
   * @param {Int8Array} values
   */
  #strip(classes, values) {
    const canvas = el("canvas", { class: classes });
    this.#strips.push({ canvas, values });
    return canvas;
  }

  #paint() {
    const colours = stripColours();
    for (const { canvas, values } of this.#strips) drawStrip(canvas, values, colours);
  }
}

/** The rows of a column: loss, next, predictions; three for each layer; U, input and number. */
const rowCount = (/** @type {number} */ layers) => 6 + 3 * layers;

/** @param {UnrolledLayer[]} layers */
function labels({ length: layers, 0: { from_later: later } }) {
  const name = (/** @type {number} */ number) => (layers > 1 ? `_{${number}}` : "");
  const symbols = Object.keys(later);
  const through = (/** @type {string} */ symbol) => (symbols.length > 1 ? ` (${symbol})` : "");
  const parts = [el("span", { text: "loss, nats" }), el("span", { text: "next character" })];
  parts.push(el("span", { text: "likeliest" }));
  for (let number = layers; number > 0; number -= 1) {
    const top = number === layers;
    const which = layers > 1 ? ` of layer ${number}` : "";
    parts.push(
      el("span", {}, equation(top ? "V" : `U${name(number + 1)}`)),
      el(
        "span",
        {},
        el("b", { text: `state${which}` }),
        " beside its gradient; ",
        equation(`W${name(number)}`),
        " leads to the next step",
      ),
      el(
        "span",
        { class: "step-figures" },
        el("span", { text: top ? "prediction" : `layer ${number + 1}` }),
        ...symbols.map((symbol) => el("span", { text: `later steps${through(symbol)}` })),
        el("span", { text: "together" }),
      ),
    );
  }
  parts.push(el("span", {}, equation(`U${name(1)}`)), el("span", { text: "reads" }));
  return el("div", { class: "step step-labels" }, ...parts, el("span", { text: "step" }));
}

/**
 * @param {UnrolledUpdate} update
 * @param {number} i
 */
function lossBar({ loss }, i) {
  const highest = Math.max(...loss.map((each) => each ?? 0), 1e-9);
  const bar = el("i");
  bar.style.setProperty("--share", String((loss[i] ?? 0) / highest));
  return el("span", { class: "step-loss" }, el("b", { text: format.fine(loss[i]) }), bar);
}

/**
 * @param {UnrolledUpdate} update
 * @param {number} i
 */
function targetCell({ targets, target_probability: p, loss }, i) {
  const tint = `tint tint-${stepOf((loss[i] ?? 0) / Math.LN2)}`;
  const character = glyph("b", targets[i], tint);
  return el("span", { class: "step-target" }, character, el("small", { text: chance(p[i]) }));
}

/**
 * @param {UnrolledUpdate} update
 * @param {number} i
 */
function predictions({ top, targets }, i) {
  const lines = top[i].slice(0, SHOWN_CHARACTERS).map(([character, p]) => {
    const guess = glyph("b", character);
    const right = character === targets[i] ? "right" : null;
    return el("span", { class: right }, guess, el("small", { text: chance(p) }));
  });
  return el("span", { class: "step-top" }, ...lines);
}

/** @param {(number | null)[]} values */
const figures = (values) =>
  el("span", { class: "step-figures" }, ...values.map((each) => el("span", { text: norm(each) })));

/** The greatest norm among those of the arrows. @param {UnrolledUpdate} update */
const scaleOf = ({ layers }) =>
  Math.max(
    ...layers.flatMap(({ from_output: own, from_later: later }) => [...own, ...later.h])
      .map((each) => each ?? 0),
    1e-30,
  );

/**
 * @param {number | null} value
 * @param {number} scale
 */
const weight = (value, scale) => 0.5 + (WIDEST_ARROW - 0.5) * ((value ?? 0) / scale);

/**
 * @param {string} pass "forward" or "backward"
 * @param {string} direction
 * @param {number} [width]
 */
function arrow(pass, direction, width = 1) {
  const drawn = svg("svg", { class: `arrow ${pass} ${direction}`, viewBox: "0 0 16 12" });
  drawn.append(svg("path", { d: "M1 6H14M10 2l4 4-4 4", "stroke-width": width }));
  return drawn;
}
