/** The list of watched words: those already written, with the update, and the others. */

import { el, find, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { firstSeen, groupWords, watchWords } from "../state/samples.js";

/** @param {WatchStore} store */
export function mountWatchedWords(store) {
  const list = find("#watch-words");
  const watchHidden = hiddenWordsCounter(list);
  watchWordGroups(store, ({ seen, pending, former }, updates, run) => {
    setText(find("#words-count"), run ? countSentence(seen, pending) : "");
    find("#words-open").hidden = !run;
    showChips(list, [...seen, ...former, ...pending], updates, store);
    watchHidden();
  });
}

/** Say how many words do not fit into the list. An observer causes no layout, unlike measuring. */
function hiddenWordsCounter(list) {
  const more = find("#words-more");
  const inView = new Map();
  const observer = new IntersectionObserver(
    (entries) => {
      for (const { target, isIntersecting } of entries) inView.set(target, isIntersecting);
      for (const item of inView.keys()) if (!list.contains(item)) inView.delete(item);
      const hidden = [...inView.values()].filter((seen) => !seen).length;
      // A list that is not displayed has no words in view.
      more.hidden = !hidden || hidden === inView.size;
      if (!more.hidden) setText(more, `${format.count(hidden)} more`);
    },
    { root: list, threshold: 0.6 },
  );
  return () => {
    observer.disconnect();
    for (const item of list.children) observer.observe(item);
  };
}

/**
 * Call `show` now, and whenever the groups of words change.
 *
 * @param {WatchStore} store
 * @param {(groups: {seen: string[], pending: string[], former: string[]},
 *   updates: Map<string, number>, run: Run | null) => void} show
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
  if (!all) return "No watched words";
  const words = format.plural(all, "watched word", "watched words");
  if (!pending.length)
    return all > 1 ? `All ${words} were written` : "The watched word was written";
  return `${seen.length ? format.count(seen.length) : "None"} of ${words} written`;
}

/**
 * Show the words as chips; those already written link to the text in which they first appeared.
 * A chip that looks the same keeps its element, and so the focus and a click that is under way.
 */
export function showChips(list, words, updates, store, then = () => {}) {
  const shown = new Map([...list.children].map((item) => [item.dataset.chip, item]));
  const items = words.map((word) => {
    const update = updates.get(word);
    const key = `${update} ${word}`;
    return shown.get(key) ?? el("li", { "data-chip": key }, chip(word, update, store, then));
  });
  setChildren(list, items);
}

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
      title: `First written at update ${format.count(update)}: show it`,
      on: { click: open },
    },
    el("span", { text: word }),
    ` ${format.count(update)}`,
  );
}
