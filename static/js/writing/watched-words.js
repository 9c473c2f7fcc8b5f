/** The wall of watched words: which have come, and when; which are still awaited. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { arrivals, wallOf, watchWords } from "../state/samples.js";

/** @param {Object} store */
export function mountWords(store) {
  const list = find("#watch-words");
  watchWall(store, ({ come, awaited, others }, came, run) => {
    setText(find("#words-count"), run ? countWords(come, awaited) : "");
    find("#words-open").hidden = !run;
    list.replaceChildren(...chipsOf([...come, ...others, ...awaited], came, store));
  });
}

/**
 * Call `show` now and whenever the wall is another.
 *
 * @param {Object} store
 * @param {(wall: Object, came: Map<string, number>, run: Object | null) => void} show
 */
export function watchWall(store, show) {
  store.watch(
    (state) => [state.samples, state.milestones, watchWords(state.run).join("\n"), state.runId],
    (samples, milestones, words) => {
      const came = arrivals({ samples, milestones });
      show(wallOf(words ? words.split("\n") : [], came), came, store.get().run);
    },
  );
}

function countWords(come, awaited) {
  const all = come.length + awaited.length;
  if (!all) return "No words are watched";
  const words = format.plural(all, "watched word", "watched words");
  const verb = all > 1 ? "have" : "has";
  if (!awaited.length) return all > 1 ? `All ${words} have come` : "The watched word has come";
  return `${come.length ? format.count(come.length) : "None"} of ${words} ${verb} come`;
}

/** The words as chips; those that came lead to the text that brought them. */
export const chipsOf = (words, came, store, then = () => {}) =>
  words.map((word) => el("li", {}, chip(word, came.get(word), store, then)));

function chip(word, update, store, then) {
  if (update === undefined) {
    return el("span", { class: "chip", text: word, title: `${word}: not written yet` });
  }
  const open = () => {
    store.dispatch({ type: "pin", update, asWritten: true });
    then();
  };
  return el(
    "button",
    {
      type: "button",
      class: "chip",
      title: `First written at update ${format.count(update)}: see it`,
      on: { click: open },
    },
    el("span", { text: word }),
    ` ${format.count(update)}`,
  );
}
