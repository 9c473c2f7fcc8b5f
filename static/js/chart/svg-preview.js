/**
 * A preview of the curve as plain SVG. It shows the same lines as Plotly will, but much earlier,
 * since Plotly takes most of a second to load.
 */

import { svg } from "../lib/dom.js";

/**
 * Draw the lines of `data` into `frame`, positioned by `layout`.
 *
 * @param {SVGElement} frame
 * @param {any[]} data traces for Plotly; only lines, the band and single losses are drawn.
 * @param {any} layout `width`, `height`, `margin`, and the types and ranges of the axes.
 */
export function drawPreview(frame, data, layout) {
  const { width, height, margin } = layout;
  const xScale = scaleOf(layout.xaxis, margin.l, width - margin.r);
  const yScale = scaleOf(layout.yaxis, height - margin.b, margin.t);
  const lines = data.filter(({ mode, name }) => mode?.startsWith("lines") || name === "losses");
  const path = (d, attributes) => svg("path", { d, fill: "none", ...attributes });
  frame.setAttribute("viewBox", `0 0 ${width} ${height}`);
  frame.replaceChildren(
    ...lines.map((trace) => {
      if (trace.fill === "toself") {
        const pieces = piecesOf(trace).map((piece) => points(piece, xScale, yScale));
        const outline = pieces.map((piece) => `M${piece.join("L")}Z`).join("");
        return path(outline, { fill: trace.fillcolor });
      }
      const places = points(trace, xScale, yScale);
      if (trace.mode === "markers") {
        return path(places.map((place) => `M${place}h0`).join(""), {
          stroke: trace.marker.color,
          "stroke-width": trace.marker.size,
          "stroke-linecap": "round",
          opacity: trace.marker.opacity,
        });
      }
      return path(`M${places.join("L")}`, {
        stroke: trace.line.color,
        "stroke-width": trace.line.width,
      });
    }),
  );
}

/** A map from values of an axis to pixels between `start` and `end`. */
function scaleOf({ type, range: [from, to] }, start, end) {
  const onAxis = type === "log" ? Math.log10 : Number;
  return (value) => start + ((onAxis(value) - from) / (to - from)) * (end - start);
}

/** The polygons of a trace, which null separates. */
function piecesOf({ x, y }) {
  const ends = x.flatMap((at, i) => (at === null ? [i] : []));
  return ends.map((end, i) => {
    const start = i ? ends[i - 1] + 1 : 0;
    return { x: x.slice(start, end), y: y.slice(start, end) };
  });
}

function points({ x, y }, xScale, yScale) {
  const known = Array.from(x, (at, i) => [xScale(at), yScale(y[i])]);
  return known
    .filter((pair) => pair.every(Number.isFinite))
    .map((pair) => pair.map((pixel) => pixel.toFixed(1)).join(" "));
}
