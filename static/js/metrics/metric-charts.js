/**
 * Small charts of the metrics under the curve, on its x axis. The pointer in one of the charts
 * shows the same update in all of them.
 */

import { lastUpdate } from "../curve/loss-curve.js";
import { drawnMetrics, metricsBetween as between } from "../curve/metric-curves.js";
import { MARGIN, scalesOf } from "../curve/scales.js";
import { find, setText } from "../lib/dom.js";
import { onPrint } from "../lib/print.js";
import { colours, onTheme } from "../lib/theme.js";
import { bucketAt, metricLimit, metricScale, metricValue } from "./metric-scale.js";

const LINE_PX = 1.4;
const DOT_PX = 1.6;

/**
 * @param {WatchStore} store
 * @param {() => Size} sizeOf the size of the curve's chart in pixels.
 */
export function mountMetricCharts(store, sizeOf) {
  const section = find("#metric-charts");
  const button = find("#metrics-open");
  const crosshair = find("#metric-crosshair");
  let palette = colours();
  /** @type {number | null} */
  let frame = null;

  const shown = () => {
    const { metricsShown, curveTab } = store.get();
    return metricsShown && curveTab === "time";
  };

  function draw() {
    frame = null;
    const state = store.get();
    if (!shown() || !state.run || sizeOf().width === 0) return;
    const scales = scalesOf(state, sizeOf());
    const inView = between(drawnMetrics(state), scales.range);
    for (const row of section.querySelectorAll(".metric")) {
      const buckets = inView.metrics[row.id.replace("metric-", "")];
      row.hidden = !buckets;
      if (buckets) drawRow(row, inView.update, buckets, scales, palette);
    }
    showNone(inView);
    showHovered();
  }

  function showHovered() {
    const state = store.get();
    if (!shown() || !state.run) {
      crosshair.hidden = true;
      return;
    }
    const { hovered } = state;
    const scales = scalesOf(state, sizeOf());
    crosshair.hidden = hovered === null;
    if (hovered !== null) {
      const x = MARGIN.l + scales.updateToPixel(Math.max(hovered, 1));
      crosshair.style.transform = `translateX(${x}px)`;
    }
    // Without a pointer, the newest values, also if the view ends before them. A replay ends before
    // the last measured update.
    const { update, metrics } = drawnMetrics(state);
    const i = bucketAt(update, hovered ?? lastUpdate(state.curve));
    for (const [name, buckets] of Object.entries(metrics)) {
      const value = section.querySelector(`#metric-${name} .metric-value`);
      if (value) setText(value, valueText(buckets, i, hovered === null));
    }
  }

  const schedule = () => {
    frame ??= requestAnimationFrame(draw);
  };

  button.addEventListener("click", () =>
    store.dispatch({ type: "metricsShown", metricsShown: !store.get().metricsShown }),
  );
  store.watch(
    (state) => [state.metricsShown, state.curveTab],
    (metricsShown, curveTab) => {
      section.hidden = !metricsShown || curveTab !== "time";
      button.hidden = curveTab !== "time";
      button.setAttribute("aria-expanded", String(metricsShown));
      schedule();
    },
  );
  store.watch((state) => [drawnMetrics(state), state.run?.id], schedule);
  store.watch(({ hovered }) => [hovered], showHovered);
  // The curve's x axis moves while the run trains.
  find("#chart").addEventListener("drawn", schedule);
  onTheme(() => {
    palette = colours();
    schedule();
  });
  onPrint(() => {
    palette = colours();
    draw();
  });

  section.addEventListener("pointermove", (/** @type {PointerEvent} */ event) => {
    const state = store.get();
    if (!state.run) return;
    const { pixelToUpdate, width } = scalesOf(state, sizeOf());
    const x = event.clientX - section.getBoundingClientRect().left - MARGIN.l;
    const inside = x >= 0 && x <= width;
    const update = inside ? Math.max(Math.round(pixelToUpdate(x)), 0) : null;
    store.dispatch({ type: "hover", update });
  });
  section.addEventListener("pointerleave", () => store.dispatch({ type: "hover", update: null }));
}

/** Say why there is no chart. @param {MetricCurves} inView */
function showNone({ update }) {
  const none = find("#metrics-none");
  none.hidden = update.length > 0;
  setText(
    none,
    "There is no measured update in view. Metrics are measured at every " +
      `${find("#metric-charts").dataset.every}th update.`,
  );
}

/**
 * The value of a bucket, with its range if it has several.
 *
 * @param {MetricBuckets} buckets
 * @param {number} i
 * @param {boolean} newest
 */
function valueText({ mean, low, high }, i, newest) {
  if (newest || low[i] === high[i]) return metricValue(mean[i]);
  return `${metricValue(mean[i])}, from ${metricValue(low[i])} to ${metricValue(high[i])}`;
}

/**
 * @param {Element} row
 * @param {number[]} updates
 * @param {MetricBuckets} buckets
 * @param {ChartScales} scales
 * @param {Colours} palette
 */
function drawRow(row, updates, buckets, scales, palette) {
  const scale = metricScale(buckets);
  const [most, least] = row.querySelectorAll(".metric-limit");
  setText(most, scale && scale.most > scale.least ? metricLimit(scale.most) : "");
  setText(least, scale ? metricLimit(scale.least) : "");
  find(".metric-scale", row).hidden = !scale?.log;
  const canvas = /** @type {HTMLCanvasElement} */ (find("canvas", row));
  const { clientWidth: width, clientHeight: height } = canvas;
  const ratio = devicePixelRatio;
  const size = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d");
  if (!context || !width) return;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.save();
  context.beginPath();
  context.rect(MARGIN.l, 0, scales.width, height);
  context.clip();
  if (scale) drawBuckets(context, { updates, buckets, scales, palette, scale, height });
  context.restore();
  context.fillStyle = palette.line;
  context.fillRect(MARGIN.l, height - 1, scales.width, 1);
}

function drawBuckets(context, { updates, buckets, scales, palette, scale, height }) {
  const { mean, low, high } = buckets;
  const xs = updates.map((update) => MARGIN.l + scales.updateToPixel(update));
  const y = (value) => height * (1 - scale.toShare(value));
  context.fillStyle = palette.bandFill;
  context.strokeStyle = palette.ink;
  context.lineWidth = LINE_PX;
  context.lineJoin = "round";
  for (const [start, end] of pieces(mean)) {
    context.beginPath();
    for (let i = start; i < end; i += 1) context.lineTo(xs[i], y(high[i]));
    for (let i = end - 1; i >= start; i -= 1) context.lineTo(xs[i], y(low[i]));
    context.fill();
    context.beginPath();
    for (let i = start; i < end; i += 1) context.lineTo(xs[i], y(mean[i]));
    context.stroke();
    if (end - start === 1) {
      context.fillStyle = palette.ink;
      context.beginPath();
      context.arc(xs[start], y(mean[start]), DOT_PX, 0, 2 * Math.PI);
      context.fill();
      context.fillStyle = palette.bandFill;
    }
  }
}

/** The pieces of a line between values that are not known, as [start, end). */
function pieces(values) {
  const found = [];
  let start = null;
  values.forEach((value, i) => {
    if (value !== null) start ??= i;
    else if (start !== null) {
      found.push([start, i]);
      start = null;
    }
  });
  if (start !== null) found.push([start, values.length]);
  return found;
}
