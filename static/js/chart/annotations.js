/** The labels on the chart: of the lines, hurrahs, notes and epochs. */

import { textScaled } from "../lib/dom.js";
import { indexAt, smoothAt } from "../curve/loss-curve.js";
import { escapeLabel } from "../lib/plotly-theme.js";
import { markedCurve, NAMES_INSIDE } from "../curve/scales.js";
import { joinWords } from "../lib/format.js";
import { hurrahLabel } from "../state/hurrah-label.js";

const linePx = () => textScaled(13);
const LIMIT_LABELS = 12;
const firstEpochPx = () => textScaled(54); // "epoch 2"
const LIMIT_NOTE_CHARACTERS = 28;
const CHARACTER_EM = 0.58; // a generous average for a sans serif font
const epochsPx = () => textScaled(13); // the row of the epoch numbers
const STAR_PX = 6;
const LETTERS_PX = 2; // empty space above and below the letters
const PLACEMENTS = [
  { xanchor: "right", dx: -10, dy: 14 }, // below left: a falling curve leaves it free
  { xanchor: "left", dx: 10, dy: -14 },
  { xanchor: "right", dx: -10, dy: -14 },
  { xanchor: "left", dx: 10, dy: 14 },
  { xanchor: "right", dx: -4, dy: 30 },
  { xanchor: "left", dx: 4, dy: -30 },
];

/**
 * The name of each line in the right margin, without overlaps, from the top of the plot to its
 * bottom. In a narrow window, the names are within the plot, above their lines; those that would
 * overlap are left out, and the legend names them together.
 */
export function lineLabels(lines, { lossToPixel, unit, logY, height }) {
  const pixels = lines.map(({ loss }) => lossToPixel(loss));
  if (NAMES_INSIDE) return namesInside(lines, pixels, { unit, logY });
  const rows = apartRows(pixels, linePx() / 2, height - linePx() / 2);
  return lines.map(({ name, loss }, i) => {
    return {
      text: name,
      xref: "paper",
      x: 1,
      xanchor: "left",
      xshift: 6,
      y: axisValue(unit.of(loss), logY),
      yanchor: "middle",
      yshift: pixels[i] - rows[i],
      showarrow: false,
    };
  });
}

function namesInside(lines, pixels, { unit, logY }) {
  let above = epochsPx();
  return lines.flatMap(({ name, loss }, i) => {
    if (pixels[i] - linePx() < above) return [];
    above = pixels[i];
    return {
      text: name,
      xref: "paper",
      x: 1,
      xanchor: "right",
      y: axisValue(unit.of(loss), logY),
      yanchor: "bottom",
      showarrow: false,
    };
  });
}

/**
 * The rows nearest to the wanted ones that are one line apart, between `top` and `bottom`.
 *
 * @param {number[]} wanted in pixels, ascending.
 * @param {number} top
 * @param {number} bottom
 * @returns {number[]}
 */
function apartRows(wanted, top, bottom) {
  let above = top - linePx();
  const rows = wanted.map((pixel) => (above = Math.max(pixel, above + linePx())));
  let below = bottom + linePx();
  for (let i = rows.length - 1; i >= 0; i -= 1) {
    below = Math.min(rows[i], below - linePx());
    rows[i] = below;
  }
  return rows;
}

/**
 * The number of each epoch at the top of its line; the first one with the word "epoch". Where it
 * would reach into the names of the lines, it is on the left of its line.
 */
export function epochLabels(epochs, { xAxis, logX, width }) {
  const [first, second] = epochs;
  const named = epochs.filter(
    (each) => each !== second || each.pixel - first.pixel > firstEpochPx(),
  );
  return named.map(({ epoch, update, pixel }, i) => ({
    text: i ? String(epoch) : `epoch ${epoch}`,
    x: axisValue(xAxis.of(update), logX),
    ...(i === 0 && pixel + firstEpochPx() > width
      ? { xanchor: "right", xshift: -1 }
      : { xanchor: "left", xshift: 1 }),
    yref: "paper",
    y: 1,
    yanchor: "top",
    yshift: 3,
    showarrow: false,
    opacity: 0.85,
    font: { size: textScaled(10.5) },
  }));
}

/**
 * "hurrah - Orla, update 9,000" beside its mark, and the text of a note, if the label fits into the
 * plot without covering another one. If only the words of a hurrah fit, they are shown alone.
 * Labels that do not fit, or would cover a line, are omitted; hovering over the mark shows them.
 *
 * @param {WatchState} state
 * @param {Record<string, import("./marks.js").Mark[]>} marks by kind, as drawn.
 * @param {ChartScales} scales
 * @param {any} fonts by kind, and `labelBackground`.
 */
export function markLabels(state, marks, scales, fonts) {
  const curve = markedCurve(state);
  // The raw losses are everywhere: on them the labels have a background instead.
  const raw = state.smoothing === "0";
  const lines = [raw ? curve : scales.curve, validationCurve(scales)];
  const taken = marks.hurrah.flatMap(({ update }) => markBox(update, curve, scales));
  const labels = [];
  const texts = [...hurrahTexts(marks.hurrah), ...noteTexts(marks.note)];
  for (const { kind, update, wordings } of texts) {
    const from = Math.max(update, 1);
    const loss = smoothAt(curve, update);
    const x = scales.updateToPixel(from);
    if (loss === null || x < 0 || x > scales.width || labels.length === LIMIT_LABELS) continue;
    const at = { x, y: scales.lossToPixel(loss) };
    const placement = freePlacement(at, wordings, fonts[kind], scales, taken, lines);
    if (!placement) continue;
    labels.push({
      text: escapeLabel(placement.text),
      x: axisValue(scales.xAxis.of(from), scales.logX),
      y: axisValue(scales.unit.of(loss), scales.logY),
      xanchor: placement.xanchor,
      yanchor: "middle",
      xshift: placement.dx,
      yshift: -placement.dy,
      showarrow: false,
      font: fonts[kind],
      bgcolor: raw ? fonts.labelBackground : undefined,
    });
  }
  return labels;
}

/** Annotations on a logarithmic axis are positioned by the logarithm. */
const axisValue = (value, log) => (log ? Math.log10(value) : value);

/**
 * The first of `wordings` that fits at one of PLACEMENTS beside `at` without covering a line. Its
 * box is added to `taken`.
 */
function freePlacement(at, wordings, font, scales, taken, lines) {
  const found = wordings
    .flatMap((text) =>
      PLACEMENTS.map((placement) => ({ ...placement, text, ...boxOf(at, text, font, placement) })),
    )
    .filter((box) => fits(box, scales) && !taken.some(overlapping(box)))
    .find((box) => !lines.some((line) => crosses(box, line, scales)));
  if (found) taken.push(found);
  return found;
}

/** The box of a hurrah's mark. */
function markBox(update, curve, { updateToPixel, lossToPixel }) {
  const loss = smoothAt(curve, update);
  if (loss === null) return [];
  const [x, y] = [updateToPixel(Math.max(update, 1)), lossToPixel(loss)];
  return { left: x - STAR_PX, right: x + STAR_PX, top: y - STAR_PX, bottom: y + STAR_PX };
}

function boxOf(at, text, font, { xanchor, dx, dy }) {
  const wide = text.length * font.size * CHARACTER_EM;
  const left = xanchor === "left" ? at.x + dx : at.x + dx - wide;
  const top = at.y + dy - linePx() / 2;
  return { left, right: left + wide, top, bottom: top + linePx() };
}

const fits = ({ left, right, top, bottom }, { width, height }) =>
  left > 0 && right < width && top > epochsPx() && bottom < height;

/** The validation loss in the form of a curve. */
const validationCurve = ({ validation: { update, loss } }) => ({ update, smooth: loss });

/** Whether one of the pieces of a line crosses a box. */
function crosses({ left, right, top, bottom }, line, { pixelToUpdate, lossToPixel }) {
  const { update, smooth } = line;
  const last = update.length - 1;
  const first = Math.max(indexAt(line, Math.floor(pixelToUpdate(left))) - 1, 0);
  const end = pixelToUpdate(right);
  for (let i = first; i < last && update[i] <= end; i += 1) {
    if (smooth[i] === null || smooth[i + 1] === null) continue;
    const [from, to] = [lossToPixel(smooth[i]), lossToPixel(smooth[i + 1])];
    const [upper, lower] = [Math.min(from, to), Math.max(from, to)];
    if (lower > top + LETTERS_PX && upper < bottom - LETTERS_PX) return true;
  }
  return false;
}

const overlapping = (a) => (b) =>
  a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;

const hurrahTexts = (hurrahs) =>
  hurrahs.map(({ update, words }) => ({
    kind: "hurrah",
    update,
    wordings: [hurrahLabel(words, update), joinWords(words)],
  }));

const noteTexts = (notes) =>
  notes.map(({ update, text }) => ({ kind: "note", update, wordings: [shortened(text)] }));

function shortened(text) {
  const characters = Array.from(text);
  if (characters.length <= LIMIT_NOTE_CHARACTERS) return text;
  return `${characters
    .slice(0, LIMIT_NOTE_CHARACTERS - 1)
    .join("")
    .trimEnd()}…`;
}
