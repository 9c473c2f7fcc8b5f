/** The samples before the one in view; older ones are smaller and paler. */

import { el, find, scrollToTopOf } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isPrinting, onPrint } from "../lib/print.js";
import { withoutLeadingLines } from "../lib/word-spans.js";
import { indexInView, textModeOf, textOf, samplesWithText, watchWords } from "../state/samples.js";
import { preview } from "../ui/prose.js";

const SHOWN = 12;
const ON_PAPER = 20; // from the first one on
const BEGINNING = 240; // in UTF-16 units: about two lines

/** @param {WatchStore} store */
export function mountEarlierSamples(store) {
  const list = find("#earlier");
  const scrollToTop = scrollToTopOf(list);
  let shown = new Map(); // rows by sample, reused when the view changes
  let drawnFor = "";
  const inputs = (state) => [
    state.samples,
    indexInView(state),
    textModeOf(state),
    watchWords(state.run).join("\n"),
  ];
  store.watch(inputs, show);
  onPrint(() => show(...inputs(store.get())));

  function show(samples, index, textMode, words) {
    const watched = words && textMode === "written" ? words.split("\n") : [];
    const candidates = samplesWithText(samples.slice(0, Math.max(index, 0)), textMode);
    const before = isPrinting() ? evenly(candidates, ON_PAPER) : candidates.slice(-SHOWN);
    const hadFocus = list.contains(document.activeElement);
    if (drawnFor !== `${textMode} ${words}`) shown = new Map();
    drawnFor = `${textMode} ${words}`;
    const line = (sample) => shown.get(sample) ?? earlierSample(sample, textMode, watched, store);
    shown = new Map(before.reverse().map((sample) => [sample, line(sample)]));
    list.replaceChildren(...shown.values());
    scrollToTop();
    // Keep the focus in the list, even if its button was replaced.
    if (hadFocus) (list.querySelector("button") ?? find("#sample-text")).focus();
  }
}

/** At most `count` of the items, at equal distances, with the first and the last. */
function evenly(items, count) {
  if (items.length <= count) return items.slice();
  const step = (items.length - 1) / (count - 1);
  return Array.from({ length: count }, (_, i) => items[Math.round(i * step)]);
}

function earlierSample(sample, textMode, watched, store) {
  const { text, invented_words: invented } = textOf(sample, textMode);
  const show = () => store.dispatch({ type: "pin", update: sample.update });
  return el(
    "li",
    {},
    el(
      "button",
      {
        type: "button",
        "aria-label": `Show the sample at update ${format.count(sample.update)}`,
        on: { click: show },
      },
      el("span", { class: "earlier-update", text: format.count(sample.update) }),
      el(
        "span",
        { class: "earlier-text" },
        ...preview(withoutLeadingLines(text).slice(0, BEGINNING), {
          invented: shifted(invented, text),
          watched,
        }),
      ),
    ),
  );
}

/** Spans shifted by the lines removed from the start. */
function shifted(spans, text) {
  const by = Array.from(text).length - Array.from(withoutLeadingLines(text)).length;
  return spans.map(([start, end]) => [start - by, end - by]);
}
