/** The wall of watched words: which have come, and when; which are still awaited. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { firstSeen, groupWords, watchWords } from "../state/samples.js";

/** @param {Object} store */
export function mountWatchedWords(store) {
  const list = find("#watch-words");
  watchWordGroups(store, ({ seen, pending, former }, updates, run) => {
    setText(find("#words-count"), run ? countSentence(seen, pending) : "");
    find("#words-open").hidden = !run;
    list.replaceChildren(...chipsOf([...seen, ...former, ...pending], updates, store));
  });
}

/**
 * Call `show` now and whenever the wall is another.
 *
 * @param {Object} store
 * @param {(wall: Object, came: Map<string, number>, run: Object | null) => void} show
 */
export function watchWordGroups(store, show) {
  store.watch(
    (state) => [state.samples, state.milestones, watchWords(state.run).join("\n"), state.runId],
    (samples, milestones, words) => {
      const updates = firstSeen({ samples, milestones });
      show(groupWords(words ? words.split("\n") : [], updates), updates, store.get().run);
    },
  );
}

function countSentence(seen, pending) {
  const all = seen.length + pending.length;
  if (!all) return "No words are watched";
  const words = format.plural(all, "watched word", "watched words");
  const verb = all > 1 ? "have" : "has";
  if (!pending.length) return all > 1 ? `All ${words} have come` : "The watched word has come";
  return `${seen.length ? format.count(seen.length) : "None"} of ${words} ${verb} come`;
}

/** The words as chips; those that came lead to the text that brought them. */
export const chipsOf = (words, updates, store, then = () => {}) =>
  words.map((word) => el("li", {}, chip(word, updates.get(word), store, then)));

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
