/** The look that all Plotly charts share: background, axes and reference lines. */

import { textScaled } from "./dom.js";

/** @typedef {{family: string, size: number, color: string}} Font */

/** From here on an axis has 100k instead of 100,000. */
export const MANY = 1e5;

/** The x axis of a narrower plot has 10k instead of 10,000. */
export const narrowPlotPx = () => textScaled(360);

export const TRANSPARENT = "rgba(0,0,0,0)";

/**
 * The part of a layout that all charts share.
 *
 * @param {Font} text
 */
export const baseLayout = (text) => ({
  paper_bgcolor: TRANSPARENT,
  plot_bgcolor: TRANSPARENT,
  font: text,
  showlegend: false,
  hovermode: false,
});

/**
 * @param {Colours} colours
 * @param {Font} text
 */
export const axis = (colours, text) => ({
  gridcolor: colours.line,
  gridwidth: 1,
  zeroline: false,
  showline: false,
  ticks: "outside",
  ticklen: 5,
  tickcolor: TRANSPARENT, // invisible ticks keep the labels away from the corner
  tickfont: text,
  automargin: false,
  ticklabeloverflow: "allow", // otherwise Plotly measures every label at every drawing
});

/**
 * The format of numbers on every axis: 4,000, or 4k where there is no room for as many digits.
 *
 * @param {boolean} short
 */
export const tickFormat = (short) => (short ? "~s" : ",~r");

/**
 * A dotted horizontal line across the whole plot, behind everything else.
 *
 * @param {number} y
 * @param {Colours} colours
 */
export const horizontalLine = (y, colours) => ({
  type: "line",
  xref: "paper",
  x0: 0,
  x1: 1,
  y0: y,
  y1: y,
  layer: "below",
  line: { color: colours.soft, width: 1, dash: "1.5px,4px" },
});

/**
 * Escape a text for a Plotly label: Plotly interprets a few HTML tags there.
 *
 * @param {string} text
 */
export const escapeLabel = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
