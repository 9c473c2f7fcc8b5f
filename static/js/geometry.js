/** Where things stand on the chart: from updates and losses to pixels, and back. */

import { between, lastUpdate, lossSpan, mergeByCell, splice } from "./curve.js";
import { inView, lowest } from "./validation.js";

/** Space around the plotting area, in pixels; the labels of the reference lines stand right. */
export const MARGIN = { l: 40, r: 62, t: 30, b: 28, pad: 0 };

const LINE_CELL_PX = 0.5;
const BAND_CELL_PX = 3; // wide enough for the band to be a band, and not a hatching
const BAND_UPDATES = 8;
const STEP_PX = 8;

/** How wide and high the plot itself is, in pixels, in a chart of `size`. */
export const plotWidthOf = (size) => Math.max(size.width - MARGIN.l - MARGIN.r, 10);
export const plotHeightOf = (size) => size.height - MARGIN.t - MARGIN.b;

/** How far below the plot's top a loss stands, in pixels, when `losses` are shown. */
export const lossToPixel = (loss, losses, size) =>
  ((losses[1] - loss) / (losses[1] - losses[0])) * plotHeightOf(size);

/** The span of updates in view: the reader's zoom, or from the start to the live end. */
export function viewRange({ range, scale, curve }) {
  if (range) return range;
  const end = Math.max(lastUpdate(curve), 10);
  return scale === "log" ? [1, end * 1.06] : [0, end * 1.015];
}

/** Maps updates to pixels across a plot `width` pixels wide, and back. */
export function scaleOf(state, width) {
  const [from, to] = viewRange(state);
  if (state.scale === "log") {
    const start = Math.log10(Math.max(from, 0.5));
    const perPixel = (Math.log10(to) - start) / width;
    return {
      toPixel: (update) => (Math.log10(Math.max(update, 0.5)) - start) / perPixel,
      toUpdate: (pixel) => 10 ** (start + pixel * perPixel),
    };
  }
  const perPixel = (to - from) / width;
  return {
    toPixel: (update) => (update - from) / perPixel,
    toUpdate: (pixel) => from + pixel * perPixel,
  };
}

/** The points held, with those that the reader's zoom fetched. */
export const finestCurve = ({ curve, detail }) => (detail ? splice(curve, detail) : curve);

/**
 * The points in view, at the finest known resolution, merged to cells some pixels wide.
 *
 * @param {Object} state
 * @param {number} width of the plot in pixels.
 * @param {number} cell in pixels.
 */
export function visibleCurve(state, width, cell = LINE_CELL_PX) {
  const [from, to] = viewRange(state);
  const { toPixel } = scaleOf(state, width);
  return mergeByCell(between(finestCurve(state), from, to), (update) => toPixel(update) / cell);
}

/** The reference losses, in nats a sequence, with their names. */
export function references(run, corpus) {
  const entropy = corpus?.entropy;
  if (!entropy) return [];
  const characters = run.spec.sequence_length;
  return ["uniform", "unigram", "bigram"].map((name) => ({
    name,
    loss: entropy[name] * characters,
  }));
}

/** The validation losses in view. */
export const visibleValidation = (state) => inView(state.validation, ...viewRange(state));

/**
 * The outline of the band, from the least to the greatest loss of each stretch of updates.
 *
 * A single update has one loss, and so no height. Where a logarithmic axis or the reader's zoom
 * draws single ones apart, some of them together make the band, their extremes kept, and what is
 * wide on the screen is drawn as the step that it is.
 *
 * @returns {{x: number[], low: number[], high: number[]}}
 */
export function bandOutline(state, width) {
  const { toPixel } = scaleOf(state, width);
  const cells = visibleCurve(state, width, BAND_CELL_PX);
  const buckets = mergeByCell(cells, (update) => (update - 1) / BAND_UPDATES);
  const outline = { x: [], low: [], high: [] };
  let start = Math.max(Math.min(viewRange(state)[0], buckets.update[0]), 0.5);
  buckets.update.forEach((end, i) => {
    const wide = toPixel(end) - toPixel(start) > STEP_PX;
    for (const x of wide ? [start, end] : [end]) {
      outline.x.push(x);
      outline.low.push(buckets.low[i]);
      outline.high.push(buckets.high[i]);
    }
    start = end;
  });
  return outline;
}

/**
 * The least and greatest loss to show, on steps of a round size so that the axis holds still while
 * the curve grows.
 */
export function lossRange(curve, validation = { loss: [] }) {
  const span = lossSpan(curve);
  if (!span) return [0, 120];
  // From its lowest point on: how far it rises again matters, not where it began.
  const since = lowest(validation)?.update ?? Infinity;
  const risen = (loss, i) => loss !== null && validation.update[i] >= since;
  const losses = validation.loss.filter(risen);
  const low = Math.min(span[0], ...losses);
  const high = Math.max(span[1], ...losses);
  const step = roundStep(Math.max(high - low, 0.5) / 14);
  return [
    Math.floor((low - step * 0.3) / step) * step,
    Math.ceil((high + step * 0.6) / step) * step,
  ];
}

function roundStep(size) {
  const power = 10 ** Math.floor(Math.log10(size));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= size);
}
