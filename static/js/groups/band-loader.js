/** Fetches the losses of the group of the run in view, again and again while any of it trains. */

import { getGroupLoss, nullOnProblem } from "../net/api.js";

const POINTS = 600;
const EVERY_MS = 3000;
const DEBOUNCE_MS = 150;

/**
 * Keep `state.groupLoss` in step with the run, the smoothing and the range in view.
 *
 * @param {WatchStore} store
 */
export function fetchSeedBand(store) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {AbortController | undefined} */
  let request;
  let last = "";

  async function fetchBand() {
    const { runId, run, range, smoothing, seeds } = store.get();
    const group = run?.group?.id;
    if (!runId || !group || seeds === "off") return;
    if (document.visibilityState === "visible") {
      request?.abort();
      request = new AbortController();
      const { signal } = request;
      const [from, to] = range ? range.map(Math.round) : [1, null];
      const wanted = { from: Math.max(from ?? 1, 1), to, points: POINTS, smoothing };
      const asked = getGroupLoss(group, wanted, signal);
      const loss = await nullOnProblem(asked);
      if (signal.aborted) return;
      const now = JSON.stringify(loss);
      if (loss && now !== last) store.dispatch({ type: "groupLoss", runId, loss });
      if (loss) last = now;
    }
    timer = setTimeout(fetchBand, EVERY_MS);
  }

  store.watch(
    ({ runId, run, range, smoothing, seeds }) => [
      ...[runId, run?.group?.id, range, smoothing, seeds === "off"],
    ],
    () => {
      clearTimeout(timer);
      request?.abort();
      last = "";
      timer = setTimeout(fetchBand, DEBOUNCE_MS);
    },
  );
}
