/** The legend above the chart: of the lines and marks that are drawn. */

import { find } from "../lib/dom.js";
import { referenceLosses } from "../curve/scales.js";

/** The kinds of marks. */
const KINDS = ["hurrah", "sample", "checkpoint", "change", "rollback", "note"];

/**
 * @param {WatchState} state
 * @param {ChartScales} scales
 * @param {{kind: string}[]} marks
 */
export function showLegend(state, scales, marks) {
  const { run, corpora } = state;
  const shown = {
    smooth: scales.curve.update.length > 0,
    losses: scales.losses.update.length > 0,
    band: scales.band.length > 0,
    validation: scales.validation.update.length > 0,
    own: scales.own.update.length > 0,
    seeds: scales.seeds.update.length > 0,
    references: run !== null && referenceLosses(run, corpora[run.corpus]).length > 0,
    ...Object.fromEntries(KINDS.map((kind) => [kind, marks.some((mark) => mark.kind === kind)])),
  };
  for (const [name, is] of Object.entries(shown)) find(`#legend-${name}`).hidden = !is;
}
