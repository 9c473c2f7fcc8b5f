/** The chart of several smooth losses. It is drawn a few times a second, and only when visible. */

import { marginOf, plotOf, toX } from "./plot.js";
import { yAt, liveEnd } from "./lines.js";
import { lineSample, markerIcon, seriesColours } from "./series-styles.js";
import { LOSS_UNITS, metricInView, visibleRuns } from "./reducers.js";
import { metricValue } from "../metrics/metric-scale.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { onPrint } from "../lib/print.js";
import { colours, onTheme } from "../lib/theme.js";

const DRAW_EVERY_MS = 250;
const SOON_MS = 30; // after an action of the user

const CONFIG = {
  displaylogo: false,
  displayModeBar: "hover",
  doubleClick: false,
  scrollZoom: true,
  modeBarButtons: [["zoomIn2d", "zoomOut2d", "toImage"]],
  toImageButtonOptions: { filename: "hurrah-compared", scale: 2 },
  showTips: false,
};

/**
 * The runs whose losses the axis does not show in full.
 *
 * @param {import("./lines.js").Line[]} lines
 */
function divergedSentence(lines) {
  const diverged = lines.filter(({ diverged: since }) => since !== null);
  if (!diverged.length || diverged.length === lines.length) return "";
  const named = diverged.map(
    ({ name, diverged: since }) => `“${name}” diverged at update ${format.count(since)}`,
  );
  return `${named.join(", ")}: the scale and the suggested goal are those of the other runs.`;
}

/**
 * What is so of some runs, by name; empty if there are none.
 *
 * @param {ComparedRun[]} runs
 * @param {string} one
 * @param {string} many
 */
function sentenceOf(runs, one, many) {
  const names = runs.map(({ run }) => `“${run.name}”`).join(", ");
  return runs.length ? `${names} ${runs.length === 1 ? one : many}.` : "";
}

/**
 * The runs that have no validation loss to draw, if these are shown.
 *
 * @param {CompareState} state
 */
function unvalidatedSentence(state) {
  if (state.validation === "hidden" || metricInView(state)) return "";
  const missing = visibleRuns(state).filter(({ lowestLoss }) => !lowestLoss);
  const without = missing.filter(({ run }) => !run.spec.validation_fraction);
  const waiting = missing.filter(({ run }) => run.spec.validation_fraction);
  return [
    sentenceOf(without, "holds out no text to validate on", "hold out no text to validate on"),
    sentenceOf(waiting, "has no validation loss yet", "have no validation loss yet"),
  ]
    .filter(Boolean)
    .join(" ");
}

/** @param {CompareState} state */
const IMMEDIATE = (state) => [
  ...[state.chosen, state.pendingDelete, state.x, state.y, state.scale, state.validation],
  ...[state.range, state.goal, state.suggested, state.metric, state.metricCurves, state.seeds],
];

export class CompareChart {
  #store;
  #frame = find("#compare-chart");
  #plot = find("#compare-plot");
  #readout = find("#compare-readout");
  #crosshair = find("#compare-crosshair");
  #diverged = find("#compare-diverged");
  #unvalidated = find("#compare-unvalidated");
  /** @type {any} */
  #plotly = null;
  #palette = palette();
  /** @type {Size | null} */
  #size = null;
  /** @type {Omit<ReturnType<typeof plotOf>, "data" | "layout"> | null} */
  #drawn = null;
  #drawnAt = 0;
  /** @type {number | null} */
  #timer = null;
  #due = Infinity;
  /** @type {number | null} */
  #pointerX = null; // in pixels from the left edge of the plot

  /**
   * @param {CompareStore} store
   * @param {Promise<any>} plotlyLoaded
   */
  constructor(store, plotlyLoaded) {
    this.#store = store;
    new ResizeObserver(() => this.#schedule(SOON_MS)).observe(this.#frame);
    document.addEventListener("visibilitychange", () => this.#schedule(SOON_MS));
    onTheme(() => {
      this.#palette = palette();
      this.#schedule(SOON_MS);
    });
    onPrint(() => {
      this.#palette = palette();
      this.#draw();
    });
    store.watch(IMMEDIATE, () => this.#schedule(SOON_MS));
    store.watch(
      ({ live, details, reached, own }) => [live, details, reached, own],
      () => {
        const rest = this.#drawnAt + DRAW_EVERY_MS - performance.now();
        this.#schedule(Math.max(SOON_MS, rest));
      },
    );
    this.#frame.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
      this.#onPointer(event);
    });
    this.#frame.addEventListener("pointerleave", () => this.#onPointer(null));
    plotlyLoaded.then((plotly) => {
      this.#plotly = plotly;
      this.#schedule(0);
    });
  }

  /** Draw within a number of milliseconds. @param {number} wait */
  #schedule(wait) {
    const due = performance.now() + wait;
    if (this.#timer !== null && due >= this.#due) return;
    clearTimeout(this.#timer ?? undefined);
    this.#due = due;
    this.#timer = setTimeout(() => requestAnimationFrame(() => this.#draw()), wait);
  }

  #draw() {
    this.#timer = null;
    this.#due = Infinity;
    const size = { width: this.#frame.clientWidth, height: this.#frame.clientHeight };
    if (!this.#plotly || document.visibilityState !== "visible" || !size.width) return;
    this.#drawnAt = performance.now();
    const font = getComputedStyle(document.documentElement).fontFamily;
    const { data, layout, ...drawn } = plotOf(this.#store.get(), this.#palette, size, font);
    const first = !this.#plot.classList.contains("js-plotly-plot");
    this.#plotly.react(this.#plot, data, layout, CONFIG);
    if (first) this.#listen();
    this.#size = size;
    this.#drawn = drawn;
    setText(this.#diverged, divergedSentence(drawn.lines));
    setText(this.#unvalidated, unvalidatedSentence(this.#store.get()));
    const loss = drawn.validations.length ? "Smooth loss and validation loss" : "Smooth loss";
    const shown = metricInView(this.#store.get())?.label ?? loss;
    this.#frame.setAttribute("aria-label", `${shown} of each run in view`);
    const ends = drawn.lines.map(({ id, update }) => `${id}:${update.at(-1) ?? 0}`);
    this.#frame.dataset.drawn = ends.join(" ");
    this.#showReadout();
  }

  #listen() {
    this.#plot.on("plotly_relayout", (/** @type {Record<string, any>} */ change) => {
      const from = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0];
      const to = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
      if (from === undefined || to === undefined) return;
      const log = this.#store.get().scale === "log";
      this.#zoom(log ? [10 ** from, 10 ** to] : [from, to]);
    });
    this.#plot.on("plotly_doubleclick", () => this.#zoom(null));
  }

  /** @param {[number, number] | null} range in units of x. */
  #zoom(range) {
    // A range that reaches the live end keeps following it.
    const end = this.#drawn ? liveEnd(this.#drawn.lines) : Infinity;
    const start = Math.max(range?.[0] ?? 0, 0);
    const to = range && range[1] < end ? range[1] : Infinity;
    this.#store.dispatch({ type: "zoom", range: range && to > start ? [start, to] : null });
    this.#schedule(0);
  }

  /** @param {PointerEvent | null} event null if the pointer left. */
  #onPointer(event) {
    this.#pointerX = null;
    if (event && this.#size) {
      const { l, r } = marginOf(this.#size);
      const at = event.clientX - this.#frame.getBoundingClientRect().left - l;
      if (at >= 0 && at <= this.#size.width - l - r) this.#pointerX = at;
    }
    this.#showReadout();
  }

  /** The losses of each run at the pointer, or else what the lines and the axes show. */
  #showReadout() {
    const state = this.#store.get();
    const at = this.#pointerX;
    const [drawn, size] = [this.#drawn, this.#size];
    this.#crosshair.hidden = at === null || !drawn;
    if (at === null || !drawn || !size) {
      const unit = `in ${LOSS_UNITS[state.y]}`;
      const legend = [
        el("span", {}, lineSample(false), "smooth loss"),
        el("span", {}, lineSample(true), `validation loss, ${unit}`),
      ];
      const shown = state.validation === "shown";
      const metric = metricInView(state);
      if (metric) this.#readout.replaceChildren(metricTitle(metric));
      else this.#readout.replaceChildren(...(shown ? legend : [`smooth loss, ${unit}`]));
      return;
    }
    const margin = marginOf(size);
    const x = toX(state.scale, drawn.view, size.width - margin.l - margin.r)(at);
    this.#crosshair.style.transform = `translateX(${margin.l + at}px)`;
    const values = drawn.lines
      .flatMap((line) => {
        const value = yAt(line, x);
        return value === null ? [] : [{ ...line, value }];
      })
      .sort((a, b) => b.value - a.value)
      .map(({ id, slot, value }) => {
        const validation = drawn.validations.find((line) => line.id === id);
        const measured = validation ? yAt(validation, x) : null;
        return el(
          "span",
          { class: `series-${slot}` },
          markerIcon(slot),
          el("b", { text: metricInView(state) ? metricValue(value) : format.fine(value) }),
          measured === null ? "" : `/ ${format.fine(measured)}`,
        );
      });
    const order = drawn.validations.length ? ", smooth / validation" : "";
    this.#readout.replaceChildren(`${xText(state.x, x)}${order}`, ...values);
  }
}

/** @param {MetricName} metric */
const metricTitle = ({ label, unit }) => `${label}${unit && `, in ${unit}`}`;

/**
 * @param {CompareState["x"]} axis
 * @param {number} x
 */
function xText(axis, x) {
  if (axis === "seconds") return `after ${format.duration(x)}`;
  return axis === "epochs" ? `after ${format.fine(x)} epochs` : `at update ${format.count(x)}`;
}

const palette = () => Object.assign(colours(), { series: seriesColours() });
