/** The replay of a run that has ended: its curve and its writing grow again as if it were live. */

const LASTS_MS = 30_000;
const EVERY_MS = 100;

/**
 * The update at a share of the time, 0 to 1. The replay begins slowly, since a network learns most
 * in its first updates.
 *
 * @param {number} share
 * @param {number} last the last update.
 */
const updateAt = (share, last) => Math.max(1, Math.round(last * Math.min(share, 1) ** 3));

export class Playback {
  #store;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    store.watch(
      (state) => [state.playback === null],
      (ended) => ended && clearInterval(this.#timer),
    );
  }

  /** Play the whole run in view. */
  start() {
    this.stop();
    const { run } = this.#store.get();
    if (!run?.update) return;
    const last = run.update;
    const began = performance.now();
    const show = () => {
      const share = (performance.now() - began) / LASTS_MS;
      if (share >= 1) this.stop();
      else this.#store.dispatch({ type: "playback", update: updateAt(share, last) });
    };
    this.#store.dispatch({ type: "zoom", range: null }, { type: "pin", update: null });
    this.#timer = setInterval(show, EVERY_MS);
    show();
  }

  /** Show the end of the run again. */
  stop() {
    clearInterval(this.#timer);
    this.#store.dispatch({ type: "playback", update: null });
  }
}
