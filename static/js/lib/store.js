/** The single state of a page. Views subscribe to the part that they draw. */

/**
 * @template S
 * @param {(state: S, action: Action) => S} reduce a pure function.
 * @param {S} initial
 * @returns {Store<S>}
 */
export function createStore(reduce, initial) {
  let state = initial;
  /** @type {Set<(state: S) => void>} */
  const listeners = new Set();

  return {
    /** The current state; callers must not change it. */
    get: () => state,

    /** Apply actions in order; listeners are called once, after all of them. */
    dispatch(...actions) {
      const next = actions.reduce(reduce, state);
      if (next === state) return;
      state = next;
      for (const listener of listeners) listener(state);
    },

    /** Call `show` now, and again whenever one of the selected values changes. */
    watch(select, show) {
      let seen = select(state);
      listeners.add((now) => {
        const values = select(now);
        if (values.every((value, i) => Object.is(value, seen[i]))) return;
        seen = values;
        show(...values);
      });
      show(...seen);
    },
  };
}
