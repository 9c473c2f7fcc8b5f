/** The words of the list of machines. Pure functions. */

import * as format from "../lib/format.js";

/** "3 of 8 slots in use; takes no new run" @param {Machine} machine */
export function machineState({ slots, used, state }) {
  const use = `${format.count(used)} of ${slotCount(slots)} in use`;
  // The server's own machine, if there is a cluster.
  if (!slots) return "trains no runs";
  if (state === "paused") return `${use}; takes no new run`;
  if (state === "unreachable") return `${use}; not reachable`;
  return use;
}

/**
 * "3 machines, 5 of 12 slots in use, 2 runs waiting."
 *
 * @param {Machine[]} machines
 * @param {number} waiting the number of runs that wait.
 */
export function summary(machines, waiting) {
  const slots = machines.reduce((sum, machine) => sum + machine.slots, 0);
  const used = machines.reduce((sum, machine) => sum + machine.used, 0);
  const count = machines.length === 1 ? "1 machine" : `${format.count(machines.length)} machines`;
  const runs = waiting === 1 ? "1 run" : `${format.count(waiting)} runs`;
  const waits = waiting ? `, ${runs} waiting` : "";
  return `${count}, ${format.count(used)} of ${slotCount(slots)} in use${waits}.`;
}

/** @param {number} slots */
const slotCount = (slots) => (slots === 1 ? "1 slot" : `${format.count(slots)} slots`);

/**
 * The runs that wait to train, in the order in which they will.
 *
 * @param {Run[]} runs
 */
export const waitingRuns = (runs) =>
  runs
    .filter(({ state }) => state === "queued")
    .toSorted((a, b) => (a.queue_position ?? 0) - (b.queue_position ?? 0));

/** "update 1,200, 340 per second"; what a run waits for. @param {Run} run */
export function runLine({ state, update, updates_per_second: speed, waiting_for: waitsFor }) {
  const at = `update ${format.count(update)}`;
  if (state === "running") return `${at}, ${format.speed(speed)} per second`;
  if (waitsFor) return waitsFor;
  return `${at}, ${format.stateLabel(state)}`;
}
