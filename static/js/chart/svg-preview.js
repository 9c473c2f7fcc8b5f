/**
 * The curve as plain SVG, from what Plotly will be given: it stands in the same place, and is there
 * the better part of a second sooner, since Plotly takes that long to be read.
 */

import { svg } from "../lib/dom.js";

/**
 * Draw the lines of `data` into `frame` (an SVG element), as `layout` places them.
 *
 * @param {SVGElement} frame
 * @param {Object[]} data traces as Plotly wants them; only lines, and bands between two, are drawn.
 * @param {Object} layout with `width`, `height`, `margin` and the axes' types and ranges.
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
        return path(`M${there.join("L")}`, { stroke: trace.line.color, "stroke-width": trace.line.width });
      }
      const back = points(lines[i - 1], xScale, yScale).reverse();
      return path(`M${[...there, ...back].join("L")}Z`, { fill: trace.fillcolor });
    }),
  );
}

/** Maps values on an axis to pixels between `start` and `end`. */
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
