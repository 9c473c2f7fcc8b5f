/** Says aloud, through a live region, which runs are in view, and what becomes of them. */

import { visible } from "./reducers.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

const REST_MS = 800;

/** @param {Object} store */
export function mountAnnouncer(store) {
  const region = find("#announcer");
  const states = new Map(); // id -> the state last seen
  let sentences = [];
  let timer = null;

  const say = (sentence) => {
    sentences.push(sentence);
    clearTimeout(timer);
    timer = setTimeout(() => {
      setText(region, sentences.join(" "));
      sentences = [];
    }, REST_MS);
  };

  store.watch(
    (state) => visible(state).map(({ id, run }) => `${id} ${run.state}`),
    () => {
      const shown = visible(store.get());
      const fresh = shown.filter(({ id }) => !states.has(id)).map(({ run }) => `“${run.name}”`);
      if (fresh.length) say(`In view: ${fresh.join(", ")}.`);
      for (const { id, run } of shown) {
        const before = states.get(id);
        if (before !== undefined && before !== run.state) {
          const stands = `at update ${format.count(run.update)}`;
          say(`“${run.name}” is ${format.stateWord(run.state)} ${stands}.`);
        }
        states.set(id, run.state);
      }
      for (const id of states.keys()) if (!shown.some((each) => each.id === id)) states.delete(id);
    },
  );
}
