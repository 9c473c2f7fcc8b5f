/** A notice above the curve: why a run is not training, and what can be done. */

import { el, find, icon } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isOutdated } from "../ui/connection.js";

/**
 * @typedef {Object} Notice
 * @property {string} text
 * @property {string} [tone]
 * @property {string} [dot]
 * @property {boolean} [long] a long text has a row of its own.
 * @property {[string, string][]} [actions] pairs of a name and a label.
 */

/** What a viewer may do too, since it changes nothing on the server. */
const FOR_VIEWERS = ["replay", "endReplay"];

/**
 * @param {WatchStore} store
 * @param {Record<string, () => void>} actions
 */
export function mountRunStatusBanner(store, actions) {
  const host = find("#notice");
  let closed = ""; // the notice that the user has closed
  const show = () => {
    const { run, runId, operator, runs, playback, connection } = store.get();
    const outdated = Boolean(run) && isOutdated(store.get());
    const notice = outdated
      ? outdatedNotice(run, connection)
      : run && noticeFor(run, operator, runs ?? [], playback !== null);
    const reason = `${run?.error} ${run?.diverged_since}`;
    const name = `${runId} ${run?.state} ${reason} ${playback !== null} ${outdated}`;
    if (closed && closed !== name) closed = "";
    host.hidden = !notice || closed === name;
    if (!notice) return;
    const close = () => {
      closed = name;
      host.hidden = true;
      find("#main").focus({ preventScroll: true });
    };
    host.dataset.long = String(Boolean(notice.long));
    host.replaceChildren(
      el(
        "div",
        { class: "notice-body", "data-tone": notice.tone ?? "calm", role: "status" },
        el("span", { class: "dot", "data-state": notice.dot ?? run?.state }),
        el("p", { text: notice.text }),
        ...(notice.actions ?? [])
          .filter(([action]) => operator || FOR_VIEWERS.includes(action))
          .map(([action, label]) => button(label, actions[action])),
        ...(playback ? [] : [closeButton(close)]),
      ),
    );
  };
  store.watch((state) => {
    const { run } = state;
    const still = run && run.state !== "running" && !state.playback ? run.update : null;
    const ahead = run?.state === "queued" ? queueText(run, state.runs ?? []) : null;
    const outdated = isOutdated(state);
    return [
      run?.diverged_since,
      ...[run?.state, run?.error, run?.disk_full, still, state.operator, state.runId, ahead],
      ...[state.playback === null, outdated, outdated && state.connection.heardAt],
    ];
  }, show);
}

const button = (label, click) =>
  el("button", { type: "button", class: "button button-small", text: label, on: { click } });

const closeButton = (click) =>
  el(
    "button",
    {
      type: "button",
      class: "button button-small button-square button-plain",
      "aria-label": "Close this notice",
      title: "Close this notice",
      on: { click },
    },
    icon("close"),
  );

/**
 * The page shows the state of the last message; the server may have done more since.
 *
 * @returns {Notice}
 */
function outdatedNotice({ update }, { heardAt }) {
  const at = heardAt === null ? "" : `, ${format.timeOfDay(heardAt)}`;
  const text = `Not current: no news from the server since update ${format.count(update)}${at}.`;
  return { text, tone: "bad", dot: "waiting", long: true };
}

/** @returns {Notice | null} */
function noticeFor(run, operator, runs, playing) {
  const update = format.count(run.update);
  if (playing) return { text: "Replay of the training", actions: [["endReplay", "End replay"]] };
  if (run.diverged_since && !run.error && run.state !== "queued") return divergence(run);
  switch (run.state) {
    case "queued":
      return { text: queueText(run, runs), long: true };
    case "paused":
      // A run that paused itself states the reason.
      if (!run.error) return { text: `Paused at update ${update}` };
      if (run.diverged_since && !run.disk_full) {
        // It went back to a network that had diverged before: half the rate would not help.
        const since = format.count(run.diverged_since);
        return {
          text: `${run.error} The training had diverged at update ${since} already.`,
          ...{ tone: "bad", long: true },
          actions: [["goBack", "Go back and lower the rate"]],
        };
      }
      return {
        ...{ text: run.error, tone: "bad", long: true },
        actions: run.disk_full
          ? [["resume", "Resume"]]
          : [["halveRate", "Halve the rate and resume"]],
      };
    case "finished":
      return {
        text: `Finished at update ${update}`,
        actions: [
          ["replay", "Replay"],
          ["continueTraining", "Continue training"],
          ["newRun", "New run"],
        ],
      };
    case "stopped":
      return {
        text: `Stopped at update ${update}`,
        actions: run.update
          ? [
              ["replay", "Replay"],
              ["newRun", "New run"],
            ]
          : [["newRun", "New run"]],
      };
    case "failed":
      return {
        text: `Failed. ${run.error ?? `It stopped at update ${update}.`}`,
        ...{ tone: "bad", long: true },
        actions: [["resume", "Resume"]],
      };
    case "interrupted":
      return {
        text: `Interrupted at update ${update}. ${interruption(run, operator)}`,
        long: true,
        actions: [["resume", "Resume"]],
      };
    default:
      return null;
  }
}

/**
 * A loss that is finite, but far above that of random guessing: the cause and the way back.
 *
 * @returns {Notice}
 */
function divergence({ state, update, diverged_since: since, spec }) {
  const start = since === 1 ? ", or the initial weights are too large" : "";
  const label = format.stateLabel(state);
  const ended = `${label[0].toUpperCase()}${label.slice(1)} at update ${format.count(update)}. `;
  return {
    text:
      `${state === "running" ? "" : ended}The training diverged at update` +
      ` ${format.count(since)}: since then the loss has been more than three times that of` +
      ` random guessing. The learning rate of ${spec.learning_rate} is probably too` +
      ` high${start}.`,
    ...{ tone: "bad", long: true },
    actions: [["goBack", "Go back and lower the rate"]],
  };
}

/** Which runs a queued run waits for, and its place among those that wait; where it starts. */
export function queueText(run, runs) {
  const training = runs.filter(({ state }) => state === "running").map(({ name }) => `“${name}”`);
  const others = runs.filter(({ queue_position: at, id }) => at && id !== run.id).length;
  const place = run.queue_position;
  const reason = run.waiting_for ? ` ${run.waiting_for}` : "";
  if (!place) return `Starting.${reason}`;
  const behind = training.length ? ` behind ${format.joinWords(training)}` : "";
  const beside = others ? ` It is number ${place} of ${others + 1} that wait.` : "";
  return `Queued${behind}.${reason} It starts automatically.${beside}`;
}

const interruption = (run, operator) =>
  operator ? (run.error ?? "It can be resumed.") : "The operator can resume it.";
