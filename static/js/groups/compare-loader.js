/** Fetches the groups in a comparison, again and again while any of their runs trains. */

import * as api from "../net/api.js";

const POINTS = 1500;
const EVERY_MS = 3000;
const DEBOUNCE_MS = 100;
const ENDED = ["finished", "stopped", "failed"];

/**
 * A group in view: the goal in nats per sequence, and the ids and the states of its runs.
 *
 * @typedef {{id: string, goal: number | null, members: string}} Wanted
 */

/**
 * A group as it was fetched.
 *
 * @typedef {Wanted & {figures: MemberFigures[], loss: GroupLoss}} Fetched
 */

/**
 * Keep groups current.
 *
 * @param {Object} page
 * @param {() => Wanted[]} page.wanted the groups in view.
 * @param {(id: string) => boolean} page.isShown whether the group was fetched and is still shown.
 * @param {(group: Fetched) => void} page.fetched
 * @param {(id: string) => void} page.gone
 * @returns {() => void} to be called when `wanted` has changed.
 */
export function keepGroups({ wanted, isShown, fetched, gone }) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  /** @type {Map<string, Fetched>} */
  const known = new Map();

  /** @param {Wanted} group */
  async function fetchOne({ id, goal, members }) {
    const last = known.get(id);
    const ended = last?.figures.every(({ run }) => ENDED.includes(run.state));
    const same = last?.goal === goal && last.members === members;
    if (ended && same && isShown(id)) return;
    try {
      const [figures, loss] = await Promise.all([
        api.getGroupFigures(id, goal),
        api.getGroupLoss(id, { from: 1, to: null, points: POINTS }),
      ]);
      // A later request may have been answered first, with the goal in view.
      if (!wanted().some((each) => each.id === id && each.goal === goal)) return;
      const found = { id, goal, members, figures, loss };
      known.set(id, found);
      fetched(found);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      if (error.status === 404) gone(id);
    }
  }

  async function fetchAll() {
    if (document.visibilityState === "visible") await Promise.all(wanted().map(fetchOne));
    timer = setTimeout(fetchAll, EVERY_MS);
  }

  return () => {
    clearTimeout(timer);
    timer = setTimeout(fetchAll, DEBOUNCE_MS);
  };
}
