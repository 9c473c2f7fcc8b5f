/** Announces to screen readers which runs are in view and how their states change. */

import { visibleRuns } from "./reducers.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

const REST_MS = 800;

/** @param {Store<any>} store */
export function mountLiveRegion(store) {
  const region = find("#live-region");
  const states = new Map(); // id -> the state last seen
  let sentences = [];
  let timer = null;

  const announce = (sentence) => {
    sentences.push(sentence);
    clearTimeout(timer);
    timer = setTimeout(() => {
      setText(region, sentences.join(" "));
      sentences = [];
    }, REST_MS);
  };

  store.watch(
    (state) => visibleRuns(state).map(({ id, run }) => `${id} ${run.state}`),
    () => {
      const shown = visibleRuns(store.get());
      const fresh = shown.filter(({ id }) => !states.has(id)).map(({ run }) => `“${run.name}”`);
      if (fresh.length) announce(`In view: ${fresh.join(", ")}.`);
      for (const { id, run } of shown) {
        const before = states.get(id);
        if (before !== undefined && before !== run.state) {
          const position = `at update ${format.count(run.update)}`;
          announce(`“${run.name}” is ${format.stateLabel(run.state)} ${position}.`);
        }
        states.set(id, run.state);
      }
      for (const id of states.keys()) if (!shown.some((each) => each.id === id)) states.delete(id);
    },
  );
}
