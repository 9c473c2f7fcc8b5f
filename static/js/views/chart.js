/** The loss curve: draws what the store holds, and tells the store where the reader points. */

import { bucketAtEnd, lastUpdate, smoothAt, indexAt } from "../curve.js";
import { animate, find, setText } from "../dom.js";
import * as format from "../format.js";
import { MARGIN, plotOf, scaleOf, viewRange, visibleCurve } from "../plot.js";
import { indexInView } from "../samples.js";
import { colours, onTheme } from "../theme.js";

const BETWEEN_DRAWINGS_MS = 100;
const CLICK_PX = 4;
const WHEEL_REST_MS = 250;
const AFTER_DRAG_MS = 40;

const CONFIG = {
  displaylogo: false,
  displayModeBar: "hover",
  doubleClick: false,
  scrollZoom: true,
  modeBarButtons: [["zoomIn2d", "zoomOut2d", "toImage"]],
  toImageButtonOptions: { filename: "hurrah-loss", scale: 2 },
  showTips: false,
  locale: "en-US",
};

/**
 * @param {Object} store
 * @param {Promise<Object>} plotlyLoaded resolves to Plotly.
 */
export function mountChart(store, plotlyLoaded) {
  const chart = find("#chart");
  const plot = find("#chart-plot");
  const readout = find("#chart-readout");
  const crosshair = find("#crosshair");
  let plotly = null;
  let palette = colours();
  let size = { width: chart.clientWidth, height: chart.clientHeight };
  let drawnAt = 0;
  let timer = null;
  let held = false; // a drag is under way: drawing now would tear its rubber band away
  let pointerX = null;

  const plotWidth = () => Math.max(size.width - MARGIN.l - MARGIN.r, 10);
  const drawable = () =>
    plotly && !held && document.visibilityState === "visible" && size.width > 0;

  function schedule() {
    if (timer !== null) return;
    const wait = Math.max(0, drawnAt + BETWEEN_DRAWINGS_MS - performance.now());
    timer = setTimeout(() => requestAnimationFrame(draw), wait);
  }

  function draw() {
    timer = null;
    const state = store.get();
    if (!drawable() || !state.run || state.refining) return;
    drawnAt = performance.now();
    const font = getComputedStyle(document.documentElement).fontFamily;
    const { data, layout, losses } = plotOf(state, palette, size, font);
    const first = !plot.classList.contains("js-plotly-plot");
    plotly.react(plot, data, layout, CONFIG);
    if (first) listen();
    find("#chart-skeleton").hidden = true;
    chart.dataset.drawnUpdate = lastUpdate(state.curve);
    placeGlow(state, losses);
    showReadout();
  }

  // --- Zoom and follow ---

  function listen() {
    plot.on("plotly_relayout", (change) => {
      const from = change["xaxis.range[0]"] ?? change["xaxis.range"]?.[0];
      const to = change["xaxis.range[1]"] ?? change["xaxis.range"]?.[1];
      if (from === undefined || to === undefined) return;
      const log = store.get().scale === "log";
      zoom(log ? [10 ** from, 10 ** to] : [from, to]);
    });
    plot.on("plotly_doubleclick", () => zoom(null));
  }

  function zoom(range) {
    const clipped = range && [Math.max(range[0], 0), Math.max(range[1], range[0] + 1)];
    store.dispatch({ type: "zoom", range: clipped });
    schedule();
  }

  // --- Pointing ---

  function pointAt(event) {
    const state = store.get();
    const box = chart.getBoundingClientRect();
    const x = event.clientX - box.left - MARGIN.l;
    const y = event.clientY - box.top - MARGIN.t;
    const inPlot = x >= 0 && x <= plotWidth() && y >= 0 && y <= box.height - MARGIN.t;
    const inside = state.run && inPlot && !event.target.closest(".notice");
    pointerX = inside ? x : null;
    const update = inside ? Math.round(scaleOf(state, plotWidth()).toUpdate(x)) : null;
    store.dispatch({ type: "point", update });
    showReadout();
  }

  function leave() {
    pointerX = null;
    store.dispatch({ type: "point", update: null });
    showReadout();
  }

  let pressed = null;
  let resting = null;
  const release = () => {
    held = false;
    schedule();
  };
  chart.addEventListener("pointermove", pointAt, { capture: true });
  chart.addEventListener("pointerleave", leave);
  chart.addEventListener(
    "pointerdown",
    (event) => {
      pressed = { x: event.clientX, y: event.clientY };
      held = event.pointerType === "mouse" && Boolean(event.target.closest(".draglayer"));
    },
    { capture: true },
  );
  window.addEventListener(
    "pointerup",
    (event) => {
      const state = store.get();
      const still =
        pressed && Math.hypot(event.clientX - pressed.x, event.clientY - pressed.y) < CLICK_PX;
      const sample = state.samples[indexInView(state)];
      if (still && pointerX !== null && sample) {
        store.dispatch({ type: "pin", update: sample.update });
      }
      pressed = null;
      // Plotly ends its own drag in a listener that runs after this one.
      setTimeout(release, AFTER_DRAG_MS);
    },
    { capture: true },
  );
  window.addEventListener("pointercancel", release);
  chart.addEventListener(
    "wheel",
    () => {
      held = true;
      clearTimeout(resting);
      resting = setTimeout(release, WHEEL_REST_MS);
    },
    { capture: true, passive: true },
  );

  function showReadout() {
    const state = store.get();
    crosshair.hidden = pointerX === null;
    if (pointerX === null || !state.curve.update.length) {
      setText(readout, "loss, in nats a sequence");
      return;
    }
    crosshair.style.transform = `translateX(${MARGIN.l + pointerX}px)`;
    const curve = visibleCurve(state, plotWidth());
    const i = indexAt(curve, scaleOf(state, plotWidth()).toUpdate(pointerX));
    const span = `${format.loss(curve.low[i])} to ${format.loss(curve.high[i])}`;
    setText(
      readout,
      `update ${format.count(curve.update[i])}: smooth loss ${format.loss(curve.smooth[i])}, loss ${span}`,
    );
  }

  // --- A hurrah is a brief glow on its mark ---

  let glowing = null;
  function placeGlow(state, losses) {
    if (state.freshHurrah === null || state.freshHurrah === glowing) return;
    glowing = state.freshHurrah;
    const x = scaleOf(state, plotWidth()).toPixel(Math.max(glowing, 1));
    const loss = smoothAt(state.curve, glowing);
    if (loss === null || x < 0 || x > plotWidth()) return;
    const height = size.height - MARGIN.t - MARGIN.b;
    const y = ((losses[1] - loss) / (losses[1] - losses[0])) * height;
    const glow = document.createElement("div");
    glow.className = "glow";
    glow.style.translate = `${MARGIN.l + x}px ${MARGIN.t + y}px`;
    const animation = animate(
      glow,
      [
        { opacity: 0, scale: 0.3 },
        { opacity: 0.55, scale: 1, offset: 0.25 },
        { opacity: 0, scale: 1.9 },
      ],
      { duration: 1800, easing: "ease-out" },
    );
    if (!animation) return;
    find("#chart-overlay").append(glow);
    animation.addEventListener("finish", () => glow.remove());
  }

  // --- What makes it draw ---

  new ResizeObserver(() => {
    size = { width: chart.clientWidth, height: chart.clientHeight };
    schedule();
  }).observe(chart);
  document.addEventListener("visibilitychange", schedule);
  onTheme(() => {
    palette = colours();
    schedule();
  });
  store.watch(
    (state) => [
      state.curve,
      state.refining,
      state.detail,
      state.samples,
      state.milestones,
      state.checkpoints,
      state.range,
      state.scale,
      state.corpora,
      indexInView(state),
    ],
    schedule,
  );
  plotlyLoaded.then((loaded) => {
    plotly = loaded;
    schedule();
  });
}

/** The switches under the chart. */
export function mountSwitches(store, lossesFile) {
  const follow = find("#follow");
  const resolution = find("#resolution");
  const csv = find("#losses-csv");
  follow.addEventListener("click", () => store.dispatch({ type: "zoom", range: null }));
  for (const input of document.querySelectorAll("input[name=scale]")) {
    input.addEventListener("change", () => store.dispatch({ type: "scale", scale: input.value }));
  }
  store.watch(
    (state) => [state.range === null, state.scale, state.runId],
    (following, scale, runId) => {
      follow.setAttribute("aria-pressed", String(following));
      for (const input of document.querySelectorAll("input[name=scale]")) {
        input.checked = input.value === scale;
      }
      find("#chart").dataset.scale = scale ?? "";
      if (runId) csv.href = lossesFile(runId);
      csv.hidden = !runId;
    },
  );
  store.watch(
    (state) => [pointSize(state)],
    (updates) =>
      setText(
        resolution,
        updates > 1
          ? `1 point = ${format.count(updates)} updates, extremes kept`
          : "1 point = 1 update",
      ),
  );
}

/** How many updates a point at the right of the view stands for. */
function pointSize(state) {
  const [, to] = viewRange(state);
  const source = state.detail && state.detail.to >= to ? state.detail : state.curve;
  return source.update.length ? bucketAtEnd(source) : 1;
}
