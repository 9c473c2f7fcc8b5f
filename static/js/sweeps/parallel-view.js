/**
 * Parallel coordinates: a vertical axis for each parameter and for the goal, and a line for each
 * configuration.
 */

import { el, find, setText, svg, textScaled } from "../lib/dom.js";
import { Brush } from "./brush.js";
import { configurationsOf } from "./configurations.js";
import { axesOf, colourClass, GOAL, numbersWithin } from "./reducers.js";
import {
  configurationState,
  goalLabel,
  goalText,
  parameterLabel,
  parametersText,
  stageClass,
  watchUrl,
} from "./words.js";

const TOP_PX = textScaled(48);
const BOTTOM_PX = 14;
const LEFT_PX = textScaled(56);
const RIGHT_PX = textScaled(64);
const NEAR_PX = 14;
const MIN_GAP_PX = textScaled(72); // narrower charts scroll
const COLOURS = 8;

/** @typedef {{line: any, name: string, shown: string, heights: number[]}} Line */

export class ParallelView {
  #store;
  #host = find("#parallel");
  #labels = el("div", { class: "parallel-labels" });
  #lines = svg("g", { class: "parallel-lines", "aria-hidden": "true" });
  #pointed = svg("path", { class: "parallel-pointed", "aria-hidden": "true" });
  #axes = svg("g", { class: "parallel-axes" });
  // A layer of its own: pointing at a line changes the opacity of the others without drawing them.
  #back = svg("svg", { class: "parallel-back", "aria-hidden": "true" }, this.#lines);
  #svg = svg("svg", { class: "parallel-front" }, this.#pointed, this.#axes);
  /** @type {Map<number, Line>} */
  #all = new Map(); // by configuration
  /** @type {Brush[]} */
  #brushes = [];
  /** What the axes were drawn for. */
  #drawn = "";
  #order = "";
  /** Of the whole chart. */
  #size = { width: 0, height: 0 };

  /** @param {SweepsStore} store */
  constructor(store) {
    this.#store = store;
    this.#host.append(this.#back, this.#labels, this.#svg);
    new ResizeObserver(() => {
      this.#draw();
    }).observe(this.#host);
    store.watch(
      ({ sweep }) => [sweep],
      () => this.#draw(),
    );
    store.watch(
      ({ filters }) => [filters],
      () => this.#showFilters(),
    );
    store.watch(
      ({ pointed, sweep }) => [pointed, sweep],
      () => this.#showPointed(),
    );
    this.#svg.addEventListener("pointermove", (event) => this.#point(/** @type {any} */ (event)));
    this.#svg.addEventListener("pointerleave", () =>
      store.dispatch({ type: "point", number: null }),
    );
    this.#svg.addEventListener("click", () => {
      const url = watchUrl(this.#pointedConfiguration()?.watch ?? null);
      if (url) location.assign(url + location.hash);
    });
  }

  /** The distance of two axes. @param {number} axes their number. */
  #gap(axes) {
    return (this.#size.width - LEFT_PX - RIGHT_PX) / Math.max(axes - 1, 1);
  }

  get #height() {
    return this.#size.height - TOP_PX - BOTTOM_PX;
  }

  #draw() {
    const { sweep } = this.#store.get();
    const { clientWidth: width, clientHeight: height } = this.#host;
    if (!sweep || width === 0) return;
    const axes = axesOf(sweep);
    const all = [...axes.parameters, axes.goal];
    const least = LEFT_PX + RIGHT_PX + MIN_GAP_PX * (all.length - 1);
    this.#size = { width: Math.max(width, least), height };
    const ticks = all.map((axis) => axis.ticks.map(({ text }) => text).join()).join(";");
    const drawn = `${this.#size.width} ${this.#size.height} ${ticks}`;
    if (drawn !== this.#drawn) this.#drawAxes(all, sweep);
    this.#drawn = drawn;
    this.#drawLines(sweep, axes, all);
    this.#showFilters();
    find("#parallel-early").hidden = sweep.stopped_early === 0;
    const isLive = configurationsOf(sweep).some(({ ended, value }) => !ended && value !== null);
    find("#parallel-live").hidden = !isLive;
    const { beyond, high } = axes.goal;
    setText(
      find("#parallel-beyond"),
      beyond ? `Values above ${goalText(high)} are drawn at the upper end.` : "",
    );
  }

  /**
   * @param {import("./axes.js").Axis[]} all
   * @param {Sweep} sweep
   */
  #drawAxes(all, sweep) {
    const { width, height } = this.#size;
    for (const part of [this.#back, this.#svg]) {
      part.setAttribute("width", String(width));
      part.setAttribute("height", String(height));
    }
    const gap = this.#gap(all.length);
    const names = all.map(({ name }) =>
      name === GOAL ? goalLabel(sweep) : parameterLabel(name),
    );
    if (this.#brushes.length !== all.length) {
      this.#brushes = all.map(
        (axis, i) =>
          new Brush(axis, names[i], (range) =>
            this.#store.dispatch({ type: "filter", name: axis.name, range }),
          ),
      );
      this.#labels.replaceChildren(...names.map((text) => el("span", { text })));
      this.#axes.replaceChildren(
        ...all.map((_, i) => svg("g", {}, svg("g"), this.#brushes[i].element)),
      );
    }
    all.forEach((axis, i) => {
      const x = LEFT_PX + i * gap;
      const place = this.#axes.children[i];
      place.setAttribute("transform", `translate(${x} ${TOP_PX})`);
      place.firstElementChild?.replaceChildren(...this.#axisParts(axis));
      const label = /** @type {HTMLElement} */ (this.#labels.children[i]);
      const room = Math.min(gap - 8, 2 * Math.min(x, width - x));
      label.style.setProperty("inline-size", `${Math.max(room, 40)}px`);
      label.style.setProperty("inset-inline-start", `${x}px`);
    });
  }

  /** @param {import("./axes.js").Axis} axis */
  #axisParts(axis) {
    const height = this.#height;
    const isGoal = axis.name === GOAL;
    const line = isGoal
      ? Array.from({ length: COLOURS }, (_, i) =>
          svg("rect", {
            class: `goal-${i}`,
            x: -3,
            width: 6,
            y: (1 - (i + 1) / COLOURS) * height,
            height: height / COLOURS + 0.5,
          }),
        )
      : [svg("path", { class: "axis-line", d: `M0 0V${height}` })];
    const x = isGoal ? 12 : -8;
    const ticks = axis.ticks.flatMap(({ share, text }) => {
      const y = (1 - share) * height;
      const label = svg("text", { x, y, dy: "0.35em", "text-anchor": isGoal ? "start" : "end" });
      label.textContent = text;
      return [svg("path", { class: "axis-tick", d: `M-3 ${y}H3` }), label];
    });
    return [...line, ...ticks];
  }

  /**
   * @param {Sweep} sweep
   * @param {ReturnType<typeof axesOf>} axes
   * @param {import("./axes.js").Axis[]} all
   */
  #drawLines(sweep, axes, all) {
    const configurations = configurationsOf(sweep);
    const gap = this.#gap(all.length);
    for (const configuration of configurations) {
      const { number, parameters, value } = configuration;
      const line = this.#all.get(number) ?? newLine();
      this.#all.set(number, line);
      const shares = axes.parameters.map((axis) => axis.share(parameters[axis.name]));
      if (value !== null) shares.push(axes.goal.share(value));
      const colour = colourClass(configuration, axes);
      const name = `${colour}${stageClass(configuration)}`;
      const d = pathOf(shares, gap, this.#height);
      if (line.name !== name) line.line.setAttribute("class", name);
      line.name = name;
      if (line.shown !== d) line.line.setAttribute("d", d);
      line.shown = d;
      line.heights = shares;
    }
    // The best are drawn last, above the others.
    const ordered = configurations.toSorted(
      (a, b) => (b.value ?? Infinity) - (a.value ?? Infinity) || a.number - b.number,
    );
    const order = ordered.map(({ number }) => number).join();
    if (order !== this.#order) {
      this.#lines.replaceChildren(...ordered.map((each) => this.#all.get(each.number)?.line));
    }
    this.#order = order;
  }

  /** Show the selected parts of the axes, and the lines outside them pale. */
  #showFilters() {
    const state = this.#store.get();
    const { sweep, filters } = state;
    if (!sweep || !this.#brushes.length) return;
    const axes = axesOf(sweep);
    [...axes.parameters, axes.goal].forEach((axis, i) =>
      this.#brushes[i].show(axis, filters[axis.name] ?? null, this.#height),
    );
    const within = numbersWithin(state);
    for (const [number, { line }] of this.#all) {
      line.toggleAttribute("data-out", !within.has(number));
    }
  }

  #pointedConfiguration() {
    const { sweep, pointed } = this.#store.get();
    if (!sweep || pointed === null) return null;
    return configurationsOf(sweep).find(({ number }) => number === pointed) ?? null;
  }

  #showPointed() {
    const { sweep, pointed } = this.#store.get();
    const configuration = this.#pointedConfiguration();
    const line = this.#all.get(pointed ?? 0);
    this.#pointed.setAttribute("d", (configuration && line?.shown) ?? "");
    // Not on a parent of the lines: their styles would be computed again.
    for (const part of [this.#back, this.#svg]) {
      part.toggleAttribute("data-pointing", configuration !== null);
    }
    setText(
      find("#parallel-readout"),
      sweep && configuration ? readout(configuration, sweep) : "",
    );
  }

  /** Point at the line nearest to the pointer. @param {PointerEvent} event */
  #point(event) {
    const { sweep } = this.#store.get();
    if (!sweep || event.buttons) return;
    const { left, top } = this.#svg.getBoundingClientRect();
    const axes = Object.keys(sweep.spec.parameters).length + 1;
    const along = (event.clientX - left - LEFT_PX) / this.#gap(axes);
    const height = this.#height;
    const y = event.clientY - top - TOP_PX;
    const i = Math.min(Math.max(Math.floor(along), 0), axes - 2);
    const rise = riseAt(along - i);
    const within = numbersWithin(this.#store.get());
    let [nearest, least] = [/** @type {number | null} */ (null), NEAR_PX];
    for (const [number, { heights }] of this.#all) {
      if (!within.has(number) || heights.length < i + 2) continue;
      const share = heights[i] + (heights[i + 1] - heights[i]) * rise;
      const distance = Math.abs((1 - share) * height - y);
      if (distance < least) [nearest, least] = [number, distance];
    }
    this.#store.dispatch({ type: "point", number: nearest });
  }
}

/** @returns {Line} */
const newLine = () => ({ line: svg("path"), name: "", shown: "", heights: [] });

/**
 * A curve through the places on the axes, horizontal at each of them.
 *
 * @param {number[]} shares
 * @param {number} gap
 * @param {number} height
 */
function pathOf(shares, gap, height) {
  const y = (/** @type {number} */ share) => TOP_PX + Math.round((1 - share) * height * 10) / 10;
  const x = (/** @type {number} */ i) => Math.round((LEFT_PX + i * gap) * 10) / 10;
  const parts = shares.map((share, i) =>
    i === 0
      ? `M${x(0)} ${y(share)}`
      : `C${x(i - 0.5)} ${y(shares[i - 1])} ${x(i - 0.5)} ${y(share)} ${x(i)} ${y(share)}`,
  );
  return parts.join("");
}

/**
 * How far a curve of `pathOf` has come from one height to the next, at a share of the way.
 *
 * @param {number} along 0 to 1.
 */
function riseAt(along) {
  const wanted = Math.min(Math.max(along, 0), 1);
  let t = wanted;
  for (let i = 0; i < 4; i++) {
    t -= (1.5 * t - 1.5 * t * t + t * t * t - wanted) / (1.5 - 3 * t + 3 * t * t);
  }
  return 3 * t * t - 2 * t * t * t;
}

/**
 * @param {Configuration} configuration
 * @param {Sweep} sweep
 */
const readout = (configuration, sweep) =>
  `Run ${configuration.number}: ${parametersText(configuration.parameters)}; ` +
  `${goalLabel(sweep)} ${goalText(configuration.value)}, ${configurationState(configuration)}`;
