/** Announces to screen readers which runs are in view and how their states change. */

import { visibleRuns } from "./reducers.js";
import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

const DEBOUNCE_MS = 800;

/** @param {CompareStore} store */
export function mountLiveRegion(store) {
  const region = find("#live-region");
  /** @type {Map<string, RunState>} */
  const states = new Map(); // id -> the state last seen
  /** @type {string[]} */
  let sentences = [];
  /** @type {number | undefined} */
  let timer;

  const announce = (/** @type {string} */ sentence) => {
    sentences.push(sentence);
    clearTimeout(timer);
    timer = setTimeout(() => {
      setText(region, sentences.join(" "));
      sentences = [];
    }, DEBOUNCE_MS);
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
