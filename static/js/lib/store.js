/** One state for the whole page; views subscribe to the slice they draw. */

/**
 * @template S
 * @param {(state: S, action: Object) => S} reduce pure.
 * @param {S} initial
 */
export function createStore(reduce, initial) {
  let state = initial;
  const listeners = new Set();

  return {
    /** The state as it stands; never to be changed. */
    get: () => state,

    /** Take in what happened, one after the other; views are told once, of all of it. */
    dispatch(...actions) {
      const next = actions.reduce(reduce, state);
      if (next === state) return;
      state = next;
      for (const listener of listeners) listener(state);
    },

    /**
     * Call `show` now, and again whenever one of the selected values is another.
     *
     * @param {(state: S) => any[]} select
     * @param {(...values: any[]) => void} show
     */
    watch(select, show) {
      let seen = select(state);
      const listener = () => {
        const values = select(state);
        if (values.every((value, i) => Object.is(value, seen[i]))) return;
        seen = values;
        show(...values);
      };
      listeners.add(listener);
      show(...seen);
    },
  };
}
