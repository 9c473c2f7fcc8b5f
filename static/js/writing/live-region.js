/**
 * Announces changes to screen readers through a live region: rare events, and the results of the
 * user's actions.
 */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { hurrahLabel } from "../state/hurrah-label.js";
import { textInView } from "../state/samples.js";
import { connectionSentence, isOutdated } from "../ui/connection.js";
import { heading } from "./writing-view.js";

const BETWEEN_MS = 4000;
const ANSWER_MS = 250;

/** @param {WatchStore} store */
export function mountLiveRegion(store) {
  const region = find("#live-region");
  const waiting = new Map(); // kind -> the newest sentence of that kind
  let timer = null;

  function announce(kind, sentence) {
    waiting.set(kind, sentence);
    timer ??= setTimeout(flush, ANSWER_MS);
  }

  /** Announce the result of an action, once the user pauses. */
  function announceDebounced(kind, sentence) {
    waiting.set(kind, sentence);
    clearTimeout(timer);
    timer = setTimeout(flush, ANSWER_MS);
  }

  function flush() {
    setText(region, [...waiting.values()].join(" "));
    waiting.clear();
    timer = setTimeout(() => {
      timer = null;
      if (waiting.size) flush();
    }, BETWEEN_MS);
  }

  let before = store.get();
  store.watch(
    (state) => [
      state.run?.state,
      state.samples,
      state.connection.status,
      state.newHurrah,
      state.pinned,
      ...[state.scale, state.range, state.textMode],
    ],
    () => {
      const now = store.get();
      if (now.run && now.runId === before.runId && before.run) {
        const position = `at update ${format.count(now.run.update)}`;
        if (now.run.state !== before.run.state) {
          announce("state", `The run is ${format.stateLabel(now.run.state)} ${position}.`);
        }
        const sample = now.samples.at(-1);
        // A sample that was fetched again is not new.
        if (sample && sample.update !== before.samples.at(-1)?.update) {
          announce("sample", `New sample at update ${format.count(sample.update)}.`);
        }
        const { newHurrah, pinned } = now;
        if (newHurrah && newHurrah !== before.newHurrah) {
          const { words, update } = newHurrah;
          announce(`hurrah ${update}`, `${hurrahLabel(words, update)}.`);
        }
        if (pinned !== before.pinned) {
          const { sample: viewed, replayed } = textInView(now);
          announceDebounced(
            "timeline",
            pinned === null ? "Back to live." : `${heading(viewed, false, replayed)}.`,
          );
        }
        for (const [kind, sentence] of choices(now, before)) announceDebounced(kind, sentence);
      }
      if (now.connection.status !== before.connection.status) {
        if (now.connection.status === "live" && before.run) announce("connection", "Connected.");
        if (now.connection.status === "polling") announce("connection", polling(now.connection));
      }
      if (isOutdated(now) && !isOutdated(before)) {
        announce("connection", "The connection was lost. Nothing on this page is current.");
      }
      before = now;
    },
  );
}

const polling = (connection) => `Connected over ${connectionSentence(connection)}`;

/** Choices that changed, as [kind, sentence]. */
function choices(now, before) {
  const changed = (key) => now[key] !== before[key];
  const sentences = [];
  if (changed("textMode")) {
    sentences.push([
      "textMode",
      now.textMode === "replay"
        ? "Texts with the same start are shown."
        : "Texts as written are shown.",
    ]);
  }
  if (changed("scale") && before.scale) {
    sentences.push(["scale", `The axis is ${now.scale === "log" ? "logarithmic" : "linear"}.`]);
  }
  if (changed("range")) {
    const [from, to] = (now.range ?? []).map((update) => format.count(Math.round(update)));
    sentences.push([
      "range",
      now.range ? `Updates ${from} to ${to} in view.` : "The whole curve in view.",
    ]);
  }
  return sentences;
}
