/** The style of each series: colour, dash and marker, all different. */

import { svg } from "../lib/dom.js";
import { resolve } from "../lib/theme.js";

/** By slot. `shape` is the marker in a box of 10 by 10, `symbol` is Plotly's name for it. */
export const SERIES_STYLES = [
  { dash: "solid", symbol: "circle", shape: "M5 1.4a3.6 3.6 0 1 1 0 7.2a3.6 3.6 0 1 1 0-7.2z" },
  { dash: "8px,4px", symbol: "square", shape: "M1.8 1.8h6.4v6.4H1.8z" },
  { dash: "2px,3px", symbol: "diamond", shape: "M5 .6 9.4 5 5 9.4.6 5z" },
  { dash: "10px,3px,2px,3px", symbol: "triangle-up", shape: "M5 1 9.2 8.4H.8z" },
  { dash: "16px,5px", symbol: "triangle-down", shape: "M5 9 .8 1.6h8.4z" },
  { dash: "5px,2px", symbol: "cross", shape: "M3.6 1h2.8v2.6H9v2.8H6.4V9H3.6V6.4H1V3.6h2.6z" },
  {
    dash: "10px,3px,2px,3px,2px,3px",
    symbol: "star",
    shape: "m5 .6 1.3 2.9 3.1.3L7 5.9l.7 3.1L5 7.4 2.3 9 3 5.9.6 3.8l3.1-.3z",
  },
  { dash: "1px,5px", symbol: "hexagon", shape: "M5 .8 8.8 2.9v4.2L5 9.2 1.2 7.1V2.9z" },
];

/** The dash of the validation losses, which none of the smooth losses has. */
export const VALIDATION_DASH = "3px,3px";

/** The maximum number of runs to compare. */
export const LIMIT_CHOSEN = SERIES_STYLES.length;

/** The colours of all slots as plain values. */
export function seriesColours() {
  const names = Object.fromEntries(SERIES_STYLES.map((_, slot) => [slot, `--series-${slot}`]));
  return resolve(names);
}

/**
 * A sample of a slot's line with its marker, for lists. A class sets the colour.
 *
 * @param {number} slot
 */
export function swatch(slot) {
  const { dash, shape } = SERIES_STYLES[slot];
  const strokes = dash === "solid" ? "none" : dash.replaceAll("px", "").replaceAll(",", " ");
  return svg(
    "svg",
    { class: `swatch series-${slot}`, viewBox: "0 0 36 10", "aria-hidden": "true" },
    svg("path", { class: "swatch-line", d: "M0 5h26", "stroke-dasharray": strokes }),
    svg("path", { class: "swatch-marker", d: shape, transform: "translate(26 0)" }),
  );
}

/** A sample of the lines of one kind, for a legend; `colour` is that of text. */
export const lineSample = (/** @type {boolean} */ validation) =>
  svg(
    "svg",
    { class: "swatch swatch-plain", viewBox: "0 0 36 10", "aria-hidden": "true" },
    svg("path", {
      class: "swatch-line",
      d: "M0 5h36",
      ...(validation
        ? { "stroke-dasharray": VALIDATION_DASH.replaceAll("px", ""), "stroke-width": "1.2" }
        : {}),
    }),
    ...(validation ? [svg("circle", { class: "swatch-hollow", cx: "18", cy: "5", r: "2.6" })] : []),
  );

/** The marker of a slot. @param {number} slot */
export const markerIcon = (slot) =>
  svg(
    "svg",
    { class: `swatch swatch-small series-${slot}`, viewBox: "0 0 10 10", "aria-hidden": "true" },
    svg("path", { class: "swatch-marker", d: SERIES_STYLES[slot].shape }),
  );
