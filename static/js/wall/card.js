/** The card of a run: its curve, its figures and its newest text; a link to watch it. */

import { el, rooted, setText, svg } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { networkSummary } from "../lib/network-summary.js";
import { lossOf, pathsOf } from "./order.js";

/** The end of the name of a run of a sweep or of a group: " 12" or " 12, seed 3". */
const LAST_NUMBER = /(?<=\S)( \d{1,5})?(, seed)? \d{1,5}$/;

const span = (/** @type {string} */ name, /** @type {Node[]} */ ...children) =>
  el("span", { class: name }, ...children);

/** An empty card. A copy of it takes a tenth of the time of a new one. */
function emptyCard() {
  const chart = svg(
    "svg",
    { class: "wall-chart", viewBox: "0 0 100 100", preserveAspectRatio: "none" },
    ...[svg("path", { class: "wall-band" }), svg("path", { class: "wall-line" })],
  );
  chart.setAttribute("aria-hidden", "true");
  const name = span("run-name", span("wall-name"), span("wall-number"));
  const figures = [span("wall-state"), span("wall-update"), span("wall-speed")];
  const link = el(
    "a",
    { class: "wall-card", tabindex: "-1" },
    span("wall-head", span("dot"), name, span("wall-loss")),
    ...[span("wall-about-run"), chart, span("wall-bar", span("wall-done"))],
    ...[span("wall-figures", ...figures), span("wall-text")],
  );
  return el("li", {}, link);
}

const EMPTY = emptyCard();

export class Card {
  /** Its parts by class. @type {Record<string, any>} */
  #parts = {};
  /** Whether it is on the screen; see grid.js. */
  visible = false;
  /** What it shows. @type {any[]} */
  drawn = [];

  /** @param {string} id */
  constructor(id) {
    this.element = EMPTY.cloneNode(true);
    this.element.dataset.run = id;
    for (const part of this.element.querySelectorAll("[class]")) {
      this.#parts[part.getAttribute("class")] = part;
    }
    this.#link.href = rooted(`/?run=${encodeURIComponent(id)}`);
    this.#link.setAttribute("aria-describedby", `wall-text-${id}`);
    this.#parts["wall-text"].id = `wall-text-${id}`;
  }

  get #link() {
    return this.#parts["wall-card"];
  }

  /** @param {boolean} reachable whether Tab reaches the card; the arrow keys reach all. */
  set reachable(reachable) {
    this.#link.tabIndex = reachable ? 0 : -1;
  }

  focus() {
    this.#link.focus();
  }

  /**
   * @param {WallRun} run
   * @param {[number, number]} range of all charts, in nats per character.
   * @param {boolean} outdated
   * @param {string} more what tells it apart from other runs with its name.
   */
  draw(run, range, outdated, more) {
    this.drawn = [run, range, outdated, more];
    const state = run.removed ? "deleted" : format.knownState(run.state, outdated, true);
    const loss = Number.isFinite(lossOf(run)) ? format.fine(lossOf(run)) : format.NO_VALUE;
    const last = run.spec.max_updates;
    const of = last === null ? "" : ` of ${format.count(last)}`;
    const training = run.state === "running" && !run.removed && !outdated;
    this.#parts.dot.dataset.state = run.state;
    this.#link.dataset.state = state;
    const number = LAST_NUMBER.exec(run.name)?.[0] ?? "";
    const show = (/** @type {string} */ part, /** @type {string} */ text) =>
      setText(this.#parts[part], text);
    show("wall-name", run.name.slice(0, run.name.length - number.length));
    show("wall-number", number);
    show("wall-loss", loss);
    show("wall-about-run", [networkSummary(run.spec), more].filter(Boolean).join("; "));
    // Beside the speed there is no room for the word "training"; the label has it.
    show("wall-state", training ? format.onMachine(run.machine).trim() : state);
    show("wall-update", `${format.count(run.update)}${of}`);
    show("wall-speed", training ? `${format.speed(run.updates_per_second)}/s` : "");
    show("wall-text", run.text ?? "");
    const share = last === null ? 0 : Math.min(run.update / last, 1);
    this.#parts["wall-done"].style.inlineSize = `${100 * share}%`;
    const { line, band } = pathsOf(run, range);
    this.#parts["wall-line"].setAttribute("d", line);
    this.#parts["wall-band"].setAttribute("d", band);
    const label = [
      ...[run.name, more, state],
      `smooth loss ${loss} nats per character`,
      `update ${format.count(run.update)}${of}`,
    ];
    this.#link.setAttribute("aria-label", label.filter(Boolean).join(", "));
    this.#link.title = `Watch ${run.name}`;
  }
}
