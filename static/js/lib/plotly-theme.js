/** What every chart wears: its ground, its axes and the lines across it, as Plotly wants them. */

export const TRANSPARENT = "rgba(0,0,0,0)";

/** The part of a layout that is the same for all; `text` is a font, with its size and colour. */
export const baseLayout = (text) => ({
  paper_bgcolor: TRANSPARENT,
  plot_bgcolor: TRANSPARENT,
  font: text,
  showlegend: false,
  hovermode: false,
});

export const axis = (colours, text) => ({
  gridcolor: colours.line,
  gridwidth: 1,
  zeroline: false,
  showline: false,
  ticks: "outside",
  ticklen: 5,
  tickcolor: TRANSPARENT, // the ticks only hold the labels off the corner
  tickfont: text,
  automargin: false,
  ticklabeloverflow: "allow", // else every label is measured at every drawing
});

/** A dotted line at a height, all the way across, behind everything. */
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

/** Plotly reads a few tags in its labels; a name, a word or a note is text and has none. */
export const escapeLabel = (text) =>
  text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
