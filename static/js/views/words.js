/** The wall of watched words: which have come, and when; which are still awaited. */

import { el, find } from "../dom.js";
import * as format from "../format.js";
import { arrivals, watchWords } from "../samples.js";

/** @param {Object} store */
export function mountWords(store) {
  const wall = find("#watch-words");
  store.watch(
    (state) => [state.samples, state.milestones, watchWords(state.run).join("\n")],
    (samples, milestones, words) => {
      const came = arrivals({ samples, milestones });
      const all = [...new Set([...(words ? words.split("\n") : []), ...came.keys()])];
      const first = (word) => came.get(word) ?? Infinity;
      all.sort((a, b) => (first(a) === first(b) ? 0 : first(a) - first(b)));
      wall.replaceChildren(...all.map((word) => el("li", {}, chip(word, came.get(word), store))));
    },
  );
}

function chip(word, update, store) {
  if (update === undefined) {
    return el("span", { class: "chip", text: word, title: `${word}: not written yet` });
  }
  return el(
    "button",
    {
      type: "button",
      class: "chip",
      title: `First written at update ${format.count(update)}`,
      on: { click: () => store.dispatch({ type: "pin", update }) },
    },
    el("span", { text: word }),
    ` ${format.count(update)}`,
  );
}
