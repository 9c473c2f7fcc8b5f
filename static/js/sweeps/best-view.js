/** The best configuration so far, and the ways on from it. */

import { el, find, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { formatSpec } from "../spec/spec-link.js";
import { readable } from "../net/query.js";
import { bestConfiguration } from "./configurations.js";
import { goalLabel, goalText, parameterLabel, valueText, watchUrl } from "./words.js";

/** How many times as many updates are suggested for the run that trains for longer. */
const LONGER = 5;

/** @param {SweepsStore} store */
export function mountBest(store) {
  const list = find("#best-parameters");
  let shown = 0; // the number of the configuration

  store.watch(
    ({ sweep }) => [sweep],
    (/** @type {Sweep | null} */ sweep) => {
      if (!sweep) return;
      const best = bestConfiguration(sweep);
      const goesOn = sweep.state === "running" || sweep.state === "paused";
      setText(find("#best-title"), goesOn ? "Best so far" : "Best");
      find("#best-none").hidden = Boolean(best);
      find("#best").hidden = !best;
      const live = best?.ended === false ? `; now at update ${format.count(best.update)}` : "";
      setText(find("#best-goal"), `lowest ${goalLabel(sweep)}, ${sweep.unit}${live}`);
      if (!best) return;
      setText(find("#best-value"), goalText(best.value));
      setText(find("#best-deviation"), deviationText(best));
      const watch = watchUrl(best.watch);
      find("#best-watch").hidden = watch === null;
      find("#best-watch").href = watch ?? "";
      find("#best-longer").href = longerUrl(sweep, best);
      if (shown === best.number) return;
      shown = best.number;
      list.replaceChildren(
        ...Object.entries(best.parameters).map(([name, value]) =>
          el(
            "div",
            {},
            el("dt", { text: parameterLabel(name) }),
            el("dd", { text: valueText(name, value) }),
          ),
        ),
      );
    },
  );
}

/** @param {Configuration} best */
function deviationText({ deviation, runs }) {
  if (deviation === null) return "";
  return `± ${goalText(deviation)}, ${format.plural(runs.length, "seed", "seeds")}`;
}

/**
 * The URL of the form for a new run with the settings of a configuration and more updates.
 *
 * @param {Sweep} sweep
 * @param {Configuration} best
 */
function longerUrl({ name, spec }, { parameters }) {
  const whole = { ...spec.spec, ...parameters, name: `best of ${name}` };
  const { max_updates: updates } = /** @type {Partial<RunSpec>} */ (whole);
  const longer = updates ? { ...whole, max_updates: updates * LONGER } : whole;
  return rooted(`/?${readable(new URLSearchParams({ new: formatSpec(longer) }))}`);
}
