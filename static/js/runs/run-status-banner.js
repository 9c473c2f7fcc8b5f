/** A banner over the chart that explains why a run is not training. */

import { el, find } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isOutdated } from "../ui/connection.js";

/**
 * @param {WatchStore} store
 * @param {Record<string, () => void>} actions resume, newRun, halveRate
 */
export function mountRunStatusBanner(store, actions) {
  const host = find("#notice");
  store.watch(
    (state) => {
      const { run } = state;
      const still = run && run.state !== "running" ? run.update : null;
      const ahead = run?.state === "queued" ? queueText(run, state.runs ?? []) : null;
      const outdated = isOutdated(state);
      return [
        ...[run?.state, run?.error, run?.disk_full, still, state.operator, state.runId, ahead],
        ...[outdated, outdated && state.connection.heardAt],
      ];
    },
    () => {
      const { run, operator, runs, connection } = store.get();
      const banner = isOutdated(store.get())
        ? { text: outdatedText(run, connection), tone: "bad", dot: "waiting" }
        : run && bannerFor(run, operator, runs ?? []);
      host.hidden = !banner;
      if (!banner) return;
      const action = actions[banner.action];
      host.replaceChildren(
        el(
          "div",
          { class: "notice-body", "data-tone": banner.tone ?? "calm", role: "status" },
          el("span", { class: "dot", "data-state": banner.dot ?? run.state }),
          el("p", { text: banner.text }),
          ...(action && operator
            ? [
                el("button", {
                  type: "button",
                  class: "button button-small",
                  text: banner.label,
                  on: { click: action },
                }),
              ]
            : []),
        ),
      );
    },
  );
}

/** What the page shows is from the last message; nobody knows what has happened since. */
function outdatedText({ update }, { heardAt }) {
  const at = heardAt === null ? "" : `, ${format.timeOfDay(heardAt)}`;
  return `Not current: no news from the server since update ${format.count(update)}${at}.`;
}

function bannerFor(run, operator, runs) {
  const update = format.count(run.update);
  switch (run.state) {
    case "queued":
      return { text: queueText(run, runs) };
    case "paused":
      // A run that paused itself states the reason.
      if (!run.error) return { text: `Paused at update ${update}` };
      if (run.disk_full) return { text: run.error, tone: "bad", action: "resume", label: "Resume" };
      return {
        text: run.error,
        tone: "bad",
        action: "halveRate",
        label: "Halve the rate and resume",
      };
    case "finished":
      return { text: `Finished at update ${update}`, action: "newRun", label: "New run" };
    case "stopped":
      return { text: `Stopped at update ${update}`, action: "newRun", label: "New run" };
    case "failed":
      return {
        text: `Failed. ${run.error ?? `It stopped at update ${update}.`}`,
        tone: "bad",
        action: "resume",
        label: "Resume",
      };
    case "interrupted":
      return {
        text: `Interrupted at update ${update}. ${interruption(run, operator)}`,
        action: "resume",
        label: "Resume",
      };
    default:
      return null;
  }
}

/** Which runs a queued run waits for, and how many others wait. */
function queueText(run, runs) {
  const training = runs.filter(({ state }) => state === "running").map(({ name }) => `“${name}”`);
  const others = runs.filter(({ state, id }) => state === "queued" && id !== run.id).length;
  const behind = training.length ? format.joinWords(training) : "the runs that are training";
  const beside = others
    ? ` ${format.plural(others, "other run is waiting", "other runs are waiting")}.`
    : "";
  return `Queued behind ${behind}. It starts automatically when a core is free.${beside}`;
}

const interruption = (run, operator) =>
  operator ? (run.error ?? "It can be resumed.") : "The operator can resume it.";
