/** The words on the chart: at the ends of the reference lines, and beside the hurrahs. */

import { smoothAt } from "./curve.js";
import { hurrahLabel, listed } from "./hurrahs.js";
import { lossToPixel, plotHeightOf, plotWidthOf, scaleOf } from "./geometry.js";

const LINE_PX = 13;
const LIMIT_HURRAHS = 12;
const CHARACTER_EM = 0.58; // a generous mean over a sans serif's letters
const PLACES = [
  { xanchor: "right", dx: -10, dy: 14 }, // below left: a falling curve is not there
  { xanchor: "left", dx: 10, dy: -14 },
];

/** The name of each reference line, in the margin at its end, apart from its neighbours. */
export function lineLabels(lines, losses, size) {
  let above = -Infinity;
  return lines.map(({ name, loss }) => {
    const pixel = lossToPixel(loss, losses, size);
    above = Math.max(pixel, above + LINE_PX);
    return {
      text: name,
      xref: "paper",
      x: 1,
      xanchor: "left",
      xshift: 6,
      y: loss,
      yanchor: "middle",
      yshift: pixel - above,
      showarrow: false,
    };
  });
}

/**
 * "hurrah - Orla, update 9,000" beside its mark, wherever it hides no other label and stays within
 * the plot; the words alone where there is room for no more, and nothing where there is none (the
 * watched words beneath the writing name them all).
 */
export function hurrahLabels(state, losses, size, font) {
  const width = plotWidthOf(size);
  const { toPixel } = scaleOf(state, width);
  const taken = [];
  const labels = [];
  for (const [update, words] of hurrahsByUpdate(state.milestones)) {
    const from = Math.max(update, 1);
    const loss = smoothAt(state.curve, update);
    const x = toPixel(from);
    if (loss === null || x < 0 || x > width || labels.length === LIMIT_HURRAHS) continue;
    const at = { x, y: lossToPixel(loss, losses, size) };
    let place;
    const text = [hurrahLabel(words, update), listed(words)].find(
      (wording) => (place = freePlace(at, wording, font, size, taken)),
    );
    if (!place) continue;
    labels.push({
      text: escaped(text),
      x: state.scale === "log" ? Math.log10(from) : from,
      y: loss,
      xanchor: place.xanchor,
      yanchor: "middle",
      xshift: place.dx,
      yshift: -place.dy,
      showarrow: false,
      font,
    });
  }
  return labels;
}

/** The first of PLACES beside `at` where a text has room; the room is then taken. */
function freePlace(at, text, font, size, taken) {
  const width = text.length * font.size * CHARACTER_EM;
  return PLACES.find(({ xanchor, dx, dy }) => {
    const left = xanchor === "left" ? at.x + dx : at.x + dx - width;
    const top = at.y + dy - LINE_PX / 2;
    const box = { left, right: left + width, top, bottom: top + LINE_PX };
    const inside = left > 0 && box.right < plotWidthOf(size) && top > 0;
    const free = inside && box.bottom < plotHeightOf(size) && !taken.some(overlapping(box));
    if (free) taken.push(box);
    return free;
  });
}

const overlapping = (a) => (b) =>
  a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;

function hurrahsByUpdate(milestones) {
  const words = new Map();
  for (const { kind, update, text } of milestones) {
    if (kind !== "hurrah") continue;
    const word = text.replace(/^hurrah\s*[-–:]\s*/iu, "");
    words.set(update, [...(words.get(update) ?? []), word]);
  }
  return words;
}

// Plotly reads a few tags in its labels; a watched word is text and has none.
const escaped = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
