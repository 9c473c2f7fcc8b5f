/**
 * A preview of the curve as plain SVG. It shows the same lines as Plotly will, but much earlier,
 * since Plotly takes most of a second to load.
 */

import { svg } from "../lib/dom.js";

/**
 * Draw the lines of `data` into `frame`, positioned by `layout`.
 *
 * @param {SVGElement} frame
 * @param {any[]} data traces for Plotly; only lines, and bands between two lines, are drawn.
 * @param {any} layout `width`, `height`, `margin`, and the types and ranges of the axes.
 */
export function drawPreview(frame, data, layout) {
  const { width, height, margin } = layout;
  const xScale = scaleOf(layout.xaxis, margin.l, width - margin.r);
  const yScale = scaleOf(layout.yaxis, height - margin.b, margin.t);
  const lines = data.filter(({ mode, x }) => mode?.startsWith("lines") && x.length);
  const path = (d, attributes) => svg("path", { d, fill: "none", ...attributes });
  frame.setAttribute("viewBox", `0 0 ${width} ${height}`);
  frame.replaceChildren(
    ...lines.map((trace, i) => {
      const there = points(trace, xScale, yScale);
      if (trace.fill !== "tonexty") {
        return path(`M${there.join("L")}`, {
          stroke: trace.line.color,
          "stroke-width": trace.line.width,
        });
      }
      const back = points(lines[i - 1], xScale, yScale).reverse();
      return path(`M${[...there, ...back].join("L")}Z`, { fill: trace.fillcolor });
    }),
  );
}

/** A map from values of an axis to pixels between `start` and `end`. */
function scaleOf({ type, range: [from, to] }, start, end) {
  const onAxis = type === "log" ? Math.log10 : Number;
  return (value) => start + ((onAxis(value) - from) / (to - from)) * (end - start);
}

function points({ x, y }, xScale, yScale) {
  const known = Array.from(x, (at, i) => [xScale(at), yScale(y[i])]);
  return known
    .filter((pair) => pair.every(Number.isFinite))
    .map((pair) => pair.map((pixel) => pixel.toFixed(1)).join(" "));
}
