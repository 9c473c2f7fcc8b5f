/** The health view: the figures of a network, each with its usual range and what it means. */

import * as api from "../../net/api.js";
import { find, setText } from "../../lib/dom.js";
import * as format from "../../lib/format.js";
import { Refresher } from "../state/refresher.js";
import { FigureCard } from "./figure-card.js";

/** @param {InsideStore} store */
export function mountHealthView(store) {
  /** @type {Map<string, FigureCard>} */
  const cards = new Map();

  new Refresher(store, {
    wanted: ({ view, runId, source }) =>
      view === "health" && runId ? { run: runId, source } : null,
    fetch: ({ run, source }, signal) => api.getHealth(run, source, signal),
    show: (health) => store.dispatch({ type: "set", values: { health, problem: null } }),
    refuse: (problem) => store.dispatch({ type: "set", values: { problem: problem.message } }),
  });

  store.watch(
    (state) => [state.health],
    (health) => {
      find("#health-view").dataset.ready = String(health !== null);
      if (!health) return;
      for (const figure of health.figures) {
        if (!cards.has(figure.name)) {
          const card = new FigureCard(figure);
          cards.set(figure.name, card);
          find("#health-figures").append(card.element);
        }
        cards.get(figure.name)?.show(figure);
      }
      setText(find("#health-summary"), summary(health));
      setText(find("#health-about"), `The network of update ${format.count(health.update)}.`);
    },
  );
}

/** @param {Health} health */
function summary({ figures }) {
  const having = (/** @type {string} */ status) =>
    figures.filter((figure) => figure.status === status).map(({ label }) => nameOf(label));
  const [harmful, unusual] = [having("harmful"), having("unusual")];
  if (!harmful.length && !unusual.length) return "All figures are usual.";
  return [
    harmful.length && `Harmful: ${format.joinWords(harmful)}.`,
    unusual.length && `Unusual: ${format.joinWords(unusual)}.`,
  ]
    .filter(Boolean)
    .join(" ");
}

/** A label as it is named within a sentence: without its unit. */
function nameOf(/** @type {string} */ label) {
  return label[0].toLowerCase() + label.slice(1).split(",", 1)[0];
}
