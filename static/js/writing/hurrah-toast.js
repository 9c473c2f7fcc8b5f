/** One toast for a hurrah; several at the same time share it. */

import { hurrahLabel } from "../state/hurrah-label.js";
import { aboutRun, toast } from "../ui/toasts.js";

const GATHER_MS = 700;

/** @param {WatchStore} store */
export function mountHurrahToast(store) {
  let gathered = [];
  let timer = null;
  let note = null;

  function showToast(runId) {
    timer = null;
    const [{ update }] = gathered;
    const text = gathered.map(({ words, update: at }) => hurrahLabel(words, at)).join("; ");
    gathered = [];
    note?.close();
    const show = () => {
      if (store.get().runId !== runId) return;
      store.dispatch({ type: "sideTab", sideTab: "writing" });
      store.dispatch({ type: "pin", update, asWritten: true });
    };
    note = toast(aboutRun(store.get().run, text), { label: "Show", run: show, hurrah: true });
  }

  store.watch(
    (state) => [state.newHurrah, state.runId],
    (newHurrah, runId) => {
      if (!newHurrah) {
        gathered = [];
        clearTimeout(timer);
        timer = null;
        return;
      }
      if (gathered.includes(newHurrah)) return;
      gathered.push(newHurrah);
      timer ??= setTimeout(() => showToast(runId), GATHER_MS);
    },
  );
}
