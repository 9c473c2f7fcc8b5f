/** The reference lines that a run has beaten, and exactly when: the server is asked for that. */

import { getLossReached, nullOnProblem } from "../net/api.js";
import { referenceLosses } from "./scales.js";

const WORSE_THAN_CHANCE = 1.25;

/**
 * The lowest of the lines that the smooth loss is below, null where it is below none that means
 * anything (any network is soon better than chance).
 */
export function bestBeatenBaseline({ run, corpora }) {
  if (!run || run.smooth_loss === null) return null;
  const lines = referenceLosses(run, corpora[run.corpus]).reverse();
  return lines.find(({ name, loss }) => name !== "uniform" && run.smooth_loss < loss) ?? null;
}

/** Whether it guesses far worse than who knows nothing: its rate is too high, most often. */
export function isWorseThanChance({ run, corpora }) {
  if (!run || run.smooth_loss === null) return false;
  const uniform = referenceLosses(run, corpora[run.corpus]).find(({ name }) => name === "uniform");
  return Boolean(uniform) && run.smooth_loss > WORSE_THAN_CHANCE * uniform.loss;
}

/** Keep in `state.reached` at which update each line was beaten. */
export function fetchBaselines(store) {
  const asked = new Set();
  store.watch(
    (state) => [state.runId, bestBeatenBaseline(state)?.name, state.reached],
    async (runId, name, reached) => {
      const request = `${runId} ${name}`;
      if (!name || name in reached || asked.has(request)) return;
      asked.add(request);
      const { loss } = bestBeatenBaseline(store.get());
      const found = await nullOnProblem(getLossReached(runId, loss));
      asked.delete(request);
      if (found?.update) store.dispatch({ type: "reached", runId, name, update: found.update });
    },
  );
}
