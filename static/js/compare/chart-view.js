/** The chart of several smooth losses. It is drawn a few times a second, and only when visible. */

import { marginOf, plotOf, toX } from "./plot.js";
import { yAt, liveEnd } from "./lines.js";
import { markerIcon, seriesColours } from "./series-styles.js";
import { LOSS_UNITS } from "./reducers.js";
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

/** @param {CompareState} state */
const IMMEDIATE = ({ chosen, pendingDelete, x, y, scale, range, goal, suggested }) => [
  chosen,
  pendingDelete,
  x,
  y,
  scale,
  range,
  goal,
  suggested,
];

export class CompareChart {
  #store;
  #frame = find("#compare-chart");
  #plot = find("#compare-plot");
  #readout = find("#compare-readout");
  #crosshair = find("#compare-crosshair");
  #diverged = find("#compare-diverged");
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
      ({ live, details, reached }) => [live, details, reached],
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

  /** The smooth loss of each run at the pointer, or else what the axes show. */
  #showReadout() {
    const state = this.#store.get();
    const at = this.#pointerX;
    const [drawn, size] = [this.#drawn, this.#size];
    this.#crosshair.hidden = at === null || !drawn;
    if (at === null || !drawn || !size) {
      this.#readout.replaceChildren(`smooth loss, in ${LOSS_UNITS[state.y]}`);
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
      .map(({ slot, value }) =>
        el(
          "span",
          { class: `series-${slot}` },
          markerIcon(slot),
          el("b", { text: format.fine(value) }),
        ),
      );
    this.#readout.replaceChildren(xText(state.x, x), ...values);
  }
}

/**
 * @param {CompareState["x"]} axis
 * @param {number} x
 */
function xText(axis, x) {
  if (axis === "seconds") return `after ${format.duration(x)}`;
  return axis === "epochs" ? `after ${format.fine(x)} epochs` : `at update ${format.count(x)}`;
}

const palette = () => Object.assign(colours(), { series: seriesColours() });
