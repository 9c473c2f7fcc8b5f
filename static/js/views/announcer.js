/** Says aloud, through a live region, what changed; seldom enough to be listened to. */

import { find, setText } from "../dom.js";
import * as format from "../format.js";
import { hurrahLabel } from "../hurrahs.js";
import { textInView } from "../samples.js";
import { heading } from "./writing.js";

const BETWEEN_MS = 4000;

/** @param {Object} store */
export function mountAnnouncer(store) {
  const region = find("#announcer");
  const waiting = new Map(); // kind -> the newest sentence of that kind
  let timer = null;

  function say(kind, sentence) {
    waiting.set(kind, sentence);
    timer ??= setTimeout(speak, 200);
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
    ],
    () => {
      const now = store.get();
      if (now.run && now.runId === before.runId && before.run) {
        const stands = `at update ${format.count(now.run.update)}`;
        if (now.run.state !== before.run.state) {
          say("state", `The run is ${format.stateWord(now.run.state)} ${stands}.`);
        }
        const sample = now.samples.at(-1);
        if (sample && sample !== before.samples.at(-1)) {
          say("sample", `New writing at update ${format.count(sample.update)}.`);
        }
        const { celebration, pinned } = now;
        if (celebration && celebration !== before.celebration) {
          const { words, update } = celebration;
          say(`hurrah ${update}`, `${hurrahLabel(words, update)}.`);
        }
        if (pinned !== before.pinned) {
          const { sample: viewed } = textInView(now);
          say("timeline", pinned === null ? "Back to live." : `${heading(viewed, false)}.`);
        }
      }
      if (now.connection.status !== before.connection.status) {
        if (now.connection.status === "waiting") say("connection", "The connection was lost.");
        if (now.connection.status === "live" && before.run) say("connection", "Connected.");
      }
      before = now;
    },
  );
}
