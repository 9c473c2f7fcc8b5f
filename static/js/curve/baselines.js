/** The reference losses that a run has passed, and the updates at which it did. */

import { getFirstBelow, nullOnProblem } from "../net/api.js";
import { referenceLosses } from "./scales.js";

const WORSE_THAN_CHANCE = 1.25;

/**
 * The lowest reference that the smooth loss is below. Null if there is none, or only the uniform
 * one: nearly every network passes that soon.
 *
 * @param {WatchState} state
 */
export function bestBeatenBaseline({ run, corpora }) {
  if (!run || run.smooth_loss === null) return null;
  const smooth = run.smooth_loss;
  const lines = referenceLosses(run, corpora[run.corpus]).reverse();
  return lines.find(({ name, loss }) => name !== "uniform" && smooth < loss) ?? null;
}

/**
 * Whether the loss is far above that of guessing uniformly; most often the learning rate is too
 * high.
 *
 * @param {WatchState} state
 */
export function isWorseThanChance({ run, corpora }) {
  if (!run || run.smooth_loss === null) return false;
  const uniform = referenceLosses(run, corpora[run.corpus]).find(({ name }) => name === "uniform");
  return uniform !== undefined && run.smooth_loss > WORSE_THAN_CHANCE * uniform.loss;
}

/**
 * Store in `state.reached` at which update the run passed each reference. Only the server knows it
 * exactly.
 *
 * @param {WatchStore} store
 */
export function fetchBaselines(store) {
  const asked = new Set(); // requests under way
  store.watch(
    (state) => [state.runId, bestBeatenBaseline(state)?.name, state.reached],
    async (runId, name, reached) => {
      const request = `${runId} ${name}`;
      const baseline = bestBeatenBaseline(store.get());
      if (!baseline || name in reached || asked.has(request)) return;
      asked.add(request);
      const found = await nullOnProblem(getFirstBelow(runId, baseline.loss));
      asked.delete(request);
      if (found?.update) store.dispatch({ type: "reached", runId, name, update: found.update });
    },
  );
}
