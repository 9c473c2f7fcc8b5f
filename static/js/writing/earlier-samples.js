/** The texts before the one in view: smaller and paler the older they are. */

import { el, find, topOf } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { indexInView, tellingOf, textOf, toldSamples, watchWords } from "../state/samples.js";
import { inline } from "../ui/prose.js";

const SHOWN = 12;
const BEGINNING = 240; // UTF-16 units: what two lines hold

/** @param {Object} store */
export function mountEarlier(store) {
  const list = find("#earlier");
  const toTop = topOf(list);
  let shown = new Map(); // the lines there are, by their samples: most stay when the page is turned
  let drawn = "";
  store.watch(
    (state) => [
      state.samples,
      indexInView(state),
      tellingOf(state),
      watchWords(state.run).join("\n"),
    ],
    (samples, index, telling, words) => {
      const watched = words ? words.split("\n") : [];
      const told = toldSamples(samples.slice(0, Math.max(index, 0)), telling);
      const before = told.slice(-SHOWN);
      const held = list.contains(document.activeElement);
      if (drawn !== `${telling} ${words}`) shown = new Map();
      drawn = `${telling} ${words}`;
      const line = (sample) => shown.get(sample) ?? earlierPage(sample, telling, watched, store);
      shown = new Map(before.reverse().map((sample) => [sample, line(sample)]));
      list.replaceChildren(...shown.values());
      toTop();
      // The keyboard stays where it was, though the button that had it is another now.
      if (held) (list.querySelector("button") ?? find("#page-now")).focus();
    },
  );
}

function earlierPage(sample, telling, watched, store) {
  const { text, invented_words: invented } = textOf(sample, telling);
  const show = () => store.dispatch({ type: "pin", update: sample.update });
  return el(
    "li",
    {},
    el(
      "button",
      {
        type: "button",
        "aria-label": `Show what it wrote at update ${format.count(sample.update)}`,
        on: { click: show },
      },
      el("span", { class: "earlier-update", text: format.count(sample.update) }),
      el(
        "span",
        { class: "earlier-text" },
        ...inline(text.trimStart().slice(0, BEGINNING), {
          invented: shifted(invented, text),
          watched,
        }),
      ),
    ),
  );
}

/** Spans as they are once the space before the first character is gone. */
function shifted(spans, text) {
  const by = Array.from(text).length - Array.from(text.trimStart()).length;
  return spans.map(([start, end]) => [start - by, end - by]);
}
