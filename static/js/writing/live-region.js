/**
 * Says aloud, through a live region, what changed: what comes by itself seldom enough to be listened
 * to, and what the reader does at once.
 */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { hurrahLabel } from "../state/hurrah-label.js";
import { textInView } from "../state/samples.js";
import { heading } from "./writing-view.js";

const BETWEEN_MS = 4000;
const ANSWER_MS = 250;

/** @param {Object} store */
export function mountAnnouncer(store) {
  const region = find("#announcer");
  const waiting = new Map(); // kind -> the newest sentence of that kind
  let timer = null;

  function say(kind, sentence) {
    waiting.set(kind, sentence);
    timer ??= setTimeout(speak, ANSWER_MS);
  }

  /** Answer the reader, who rests for a moment after many deeds. */
  function answer(kind, sentence) {
    waiting.set(kind, sentence);
    clearTimeout(timer);
    timer = setTimeout(speak, ANSWER_MS);
  }

  function speak() {
    setText(region, [...waiting.values()].join(" "));
    waiting.clear();
    timer = setTimeout(() => {
      timer = null;
      if (waiting.size) speak();
    }, BETWEEN_MS);
  }

  let before = store.get();
  store.watch(
    (state) => [
      state.run?.state,
      state.samples,
      state.connection.status,
      state.celebration,
      state.pinned,
      ...[state.scale, state.range, state.dice],
    ],
    () => {
      const now = store.get();
      if (now.run && now.runId === before.runId && before.run) {
        const stands = `at update ${format.count(now.run.update)}`;
        if (now.run.state !== before.run.state) {
          say("state", `The run is ${format.stateWord(now.run.state)} ${stands}.`);
        }
        const sample = now.samples.at(-1);
        // One that was fetched anew is the same.
        if (sample && sample.update !== before.samples.at(-1)?.update) {
          say("sample", `New writing at update ${format.count(sample.update)}.`);
        }
        const { celebration, pinned } = now;
        if (celebration && celebration !== before.celebration) {
          const { words, update } = celebration;
          say(`hurrah ${update}`, `${hurrahLabel(words, update)}.`);
        }
        if (pinned !== before.pinned) {
          const { sample: viewed } = textInView(now);
          answer("timeline", pinned === null ? "Back to live." : `${heading(viewed, false)}.`);
        }
        for (const [kind, sentence] of choices(now, before)) answer(kind, sentence);
      }
      if (now.connection.status !== before.connection.status) {
        if (now.connection.status === "waiting") say("connection", "The connection was lost.");
        if (now.connection.status === "live" && before.run) say("connection", "Connected.");
      }
      before = now;
    },
  );
}

/** What the reader chose otherwise than before, as [kind, sentence]. */
function choices(now, before) {
  const other = (key) => now[key] !== before[key];
  const said = [];
  if (other("dice")) {
    said.push(["dice", now.dice === "same" ? "With the same dice." : "As it was written."]);
  }
  if (other("scale") && before.scale) {
    said.push(["scale", `The axis is ${now.scale === "log" ? "logarithmic" : "linear"}.`]);
  }
  if (other("range")) {
    const [from, to] = (now.range ?? []).map((update) => format.count(Math.round(update)));
    said.push(["range", now.range ? `Updates ${from} to ${to} in view.` : "The whole curve in view."]);
  }
  return said;
}
