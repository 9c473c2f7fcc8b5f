/** Each parameter against the goal: a small chart with a point for each configuration. */

import { el, find, svg, textScaled } from "../lib/dom.js";
import { configurationsOf } from "./configurations.js";
import { axesOf, colourClass, numbersWithin } from "./reducers.js";
import {
  configurationState,
  goalLabel,
  parameterLabel,
  parametersText,
  stageClass,
  valueWithDeviation,
  watchUrl,
} from "./words.js";

const MARGIN = { t: 8, r: 12, b: textScaled(24), l: textScaled(44) };
const CIRCLE = "M-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z";
const TRIANGLE = "M0-5 4.6 3.4H-4.6z"; // above the axis

/** @typedef {import("./axes.js").Axis} Axis */
/** @typedef {{link: any, mark: any, spread: any, shown: string, x: number, y: number}} Point */

export class ScatterView {
  #store;
  #host = find("#scatter");
  /** @type {Chart[]} */
  #charts = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** Whether nothing has changed since the charts in progress were begun. */
  #isCurrent = true;

  /** @param {SweepsStore} store */
  constructor(store) {
    this.#store = store;
    new ResizeObserver(() => this.#draw()).observe(this.#host);
    store.watch(
      ({ sweep, filters }) => [sweep, filters],
      () => this.#draw(),
    );
    store.watch(
      ({ pointed }) => [pointed],
      (pointed) => this.#charts.forEach((chart) => chart.point(pointed)),
    );
  }

  #draw() {
    const { sweep } = this.#store.get();
    if (!sweep) return;
    const axes = axesOf(sweep);
    if (!this.#charts.length) {
      const goal = goalLabel(sweep);
      this.#charts = axes.parameters.map(({ name }) => new Chart(name, goal, this.#store));
      this.#host.replaceChildren(...this.#charts.map(({ figure }) => figure));
    }
    this.#isCurrent = this.#timer === undefined;
    if (this.#isCurrent) this.#drawFrom(0);
  }

  /** One chart after another, so that the browser can answer the user in between. */
  #drawFrom(/** @type {number} */ i) {
    this.#timer = setTimeout(() => {
      const state = this.#store.get();
      const sweep = /** @type {Sweep} */ (state.sweep);
      const axes = axesOf(sweep);
      const within = numbersWithin(state);
      this.#charts[i].draw(axes.parameters[i], axes, configurationsOf(sweep), within);
      this.#timer = undefined;
      if (i + 1 < this.#charts.length) this.#drawFrom(i + 1);
      else if (!this.#isCurrent) this.#draw();
    });
  }
}

class Chart {
  figure;
  #name;
  #store;
  #svg = svg("svg", { role: "group" });
  #axes = svg("g", { class: "scatter-axes", "aria-hidden": "true" });
  #points = svg("g", { class: "scatter-points" });
  /** @type {Map<number, Point>} */
  #all = new Map();
  #drawn = "";
  // An element of its own, so that pointing at a point does not draw the others.
  #ring = el("span", { class: "scatter-ring", hidden: true });
  #pointed = 0;
  /** @type {Element | null} */
  #tabStop = null;

  /**
   * @param {string} name of the parameter.
   * @param {string} goal
   * @param {SweepsStore} store
   */
  constructor(name, goal, store) {
    this.#name = name;
    this.#store = store;
    const label = parameterLabel(name);
    this.#svg.setAttribute("aria-label", `${label} against ${goal}`);
    this.#svg.append(this.#axes, this.#points);
    const caption = el("figcaption", { text: label });
    const plot = el("div", { class: "scatter-plot" }, this.#svg, this.#ring);
    this.figure = el("figure", { class: "scatter-chart" }, caption, plot);
    this.#points.addEventListener("keydown", (event) => this.#key(/** @type {any} */ (event)));
    const numberAt = (/** @type {any} */ { target }) => {
      const link = target.closest("a");
      return link ? Number(link.dataset.number) : null;
    };
    for (const event of ["pointerover", "focusin"]) {
      this.#points.addEventListener(event, (happened) => {
        if (event === "focusin") this.#stopAt(/** @type {any} */ (happened.target));
        store.dispatch({ type: "point", number: numberAt(happened) });
      });
    }
    for (const event of ["pointerleave", "focusout"]) {
      this.#points.addEventListener(event, () => store.dispatch({ type: "point", number: null }));
    }
  }

  /**
   * @param {Axis} axis
   * @param {ReturnType<typeof axesOf>} axes
   * @param {Configuration[]} configurations
   * @param {Set<number>} within the filters.
   */
  draw(axis, axes, configurations, within) {
    const { clientWidth: width, clientHeight: height } = this.#svg;
    if (!width) return;
    const plot = { width: width - MARGIN.l - MARGIN.r, height: height - MARGIN.t - MARGIN.b };
    this.#drawAxes(axis, axes.goal, plot, { width, height });
    for (const configuration of configurations) {
      const { number, parameters, value, deviation } = configuration;
      if (value === null) continue;
      const point = this.#all.get(number) ?? this.#newPoint(configuration);
      const x = Math.round((MARGIN.l + axis.share(parameters[this.#name]) * plot.width) * 10) / 10;
      const yOf = (/** @type {number} */ of) =>
        Math.round((MARGIN.t + (1 - axes.goal.share(of)) * plot.height) * 10) / 10;
      const y = yOf(value);
      const ends = deviation === null ? [] : [value + deviation, value - deviation];
      const spread = ends.map((end, i) => `${i ? "V" : "M0 "}${yOf(end) - y}`).join("");
      const out = within.has(number) ? "" : " is-out";
      const name = `${colourClass(configuration, axes)}${stageClass(configuration)}${out}`;
      const beyond = value > axes.goal.high;
      const label = labelOf(configuration);
      const shown = `${x} ${y} ${spread} ${name} ${beyond} ${label} ${configuration.watch}`;
      [point.x, point.y] = [x, y];
      if (point.shown === shown) continue;
      point.shown = shown;
      point.link.setAttribute("class", name);
      point.link.setAttribute("transform", `translate(${x} ${y})`);
      const url = watchUrl(configuration.watch);
      if (url) point.link.setAttribute("href", url);
      point.link.setAttribute("aria-label", label);
      point.mark.setAttribute("d", beyond ? TRIANGLE : CIRCLE);
      if (spread && !point.spread) {
        point.spread = svg("path", { class: "spread" });
        point.mark.before(point.spread);
      }
      point.spread?.setAttribute("d", spread);
    }
    this.point(this.#pointed);
  }

  /** @param {number | null} number of a configuration. */
  point(number) {
    this.#pointed = number ?? 0;
    const point = this.#all.get(this.#pointed);
    this.#ring.hidden = !point;
    if (point) this.#ring.style.setProperty("transform", `translate(${point.x}px, ${point.y}px)`);
  }

  /** @param {Configuration} configuration */
  #newPoint({ number }) {
    const mark = svg("path", { class: "mark" });
    const tabindex = this.#tabStop ? -1 : 0;
    const link = svg("a", { "data-number": number, tabindex }, mark);
    this.#tabStop ??= link;
    const point = { link, mark, spread: null, shown: "", x: 0, y: 0 };
    this.#all.set(number, point);
    this.#points.append(link);
    return point;
  }

  /**
   * One tab stop for the whole chart; the arrow keys go from point to point.
   *
   * @param {Element} link
   */
  #stopAt(link) {
    this.#tabStop?.setAttribute("tabindex", "-1");
    link.setAttribute("tabindex", "0");
    this.#tabStop = link;
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const order = [...this.#all.values()].sort((a, b) => a.x - b.x || b.y - a.y);
    const now = order.findIndex(({ link }) => link === document.activeElement);
    const last = order.length - 1;
    /** @type {Record<string, number>} */
    const moves = {
      ArrowRight: now + 1,
      ArrowUp: now + 1,
      ArrowLeft: now - 1,
      ArrowDown: now - 1,
      Home: 0,
      End: last,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    order[Math.min(Math.max(moves[event.key], 0), last)]?.link.focus();
  }

  /**
   * @param {Axis} axis
   * @param {Axis} goal
   * @param {Size} plot
   * @param {Size} size
   */
  #drawAxes(axis, goal, plot, size) {
    const ticks = [axis, goal].map((each) => each.ticks.map(({ text }) => text).join()).join(";");
    const drawn = `${size.width} ${size.height} ${ticks}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    this.#svg.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    const bottom = MARGIN.t + plot.height;
    const text = (/** @type {Record<string, any>} */ attributes, /** @type {string} */ words) => {
      const element = svg("text", attributes);
      element.textContent = words;
      return element;
    };
    this.#axes.replaceChildren(
      ...goal.ticks.flatMap(({ share, text: words }) => {
        const y = MARGIN.t + (1 - share) * plot.height;
        return [
          svg("path", { class: "grid-line", d: `M${MARGIN.l} ${y}h${plot.width}` }),
          text({ x: MARGIN.l - 8, y, dy: "0.35em", "text-anchor": "end" }, words),
        ];
      }),
      ...this.#spaced(axis, plot.width).map(({ share, text: words }) =>
        text(
          { x: MARGIN.l + share * plot.width, y: bottom + 6, dy: "0.9em", "text-anchor": "middle" },
          words,
        ),
      ),
    );
  }

  /**
   * The ticks of the x axis whose labels do not touch.
   *
   * @param {Axis} axis
   * @param {number} width
   */
  #spaced({ ticks }, width) {
    const longest = Math.max(...ticks.map(({ text }) => text.length), 1);
    const room = Math.max(Math.floor(width / textScaled(7 * longest + 8)), 1);
    const every = Math.ceil(ticks.length / room);
    return ticks.filter((_, i) => i % every === 0);
  }
}

/** @param {Configuration} configuration */
const labelOf = (configuration) =>
  `Run ${configuration.number}: ${parametersText(configuration.parameters)}; ` +
  `${valueWithDeviation(configuration)}, ${configurationState(configuration)}`;
