/** The legend above the chart: of the lines and marks that are drawn. */

import { find } from "../lib/dom.js";
import { referenceLosses } from "../curve/scales.js";

/**
 * @param {WatchState} state
 * @param {ChartScales} scales
 */
export function showLegend(state, scales) {
  const { run, corpora } = state;
  const shown = {
    smooth: scales.curve.update.length > 0,
    losses: scales.losses.update.length > 0,
    band: scales.band.length > 0,
    validation: scales.validation.update.length > 0,
    references: run !== null && referenceLosses(run, corpora[run.corpus]).length > 0,
    hurrah: state.milestones.some(({ kind }) => kind === "hurrah"),
  };
  for (const [name, is] of Object.entries(shown)) find(`#legend-${name}`).hidden = !is;
}
