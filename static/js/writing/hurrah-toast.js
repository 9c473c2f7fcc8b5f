/** A hurrah is celebrated once, in one quiet line; several at once are one celebration. */

import { hurrahLabel } from "../state/hurrah-label.js";
import { toast } from "../ui/toasts.js";

const GATHER_MS = 700;

/** @param {Object} store */
export function mountHurrah(store) {
  let gathered = [];
  let timer = null;
  let note = null;

  function celebrate(runId) {
    timer = null;
    const [{ update }] = gathered;
    const text = gathered.map(({ words, update: at }) => hurrahLabel(words, at)).join("; ");
    gathered = [];
    note?.close();
    const show = () => {
      if (store.get().runId !== runId) return;
      store.dispatch({ type: "card", card: "writing" });
      store.dispatch({ type: "pin", update, asWritten: true });
    };
    note = toast(text, { label: "Show it", run: show, hurrah: true });
  }

  store.watch(
    (state) => [state.celebration, state.runId],
    (celebration, runId) => {
      if (!celebration) {
        gathered = [];
        clearTimeout(timer);
        timer = null;
        return;
      }
      if (gathered.includes(celebration)) return;
      gathered.push(celebration);
      timer ??= setTimeout(() => celebrate(runId), GATHER_MS);
    },
  );
}
