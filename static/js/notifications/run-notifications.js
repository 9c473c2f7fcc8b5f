/** Notifications about the run in view, while the page is hidden: its end, and first names. */

import { rooted } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { NotificationSwitch } from "./notification-switch.js";

const ENDS = ["finished", "stopped", "failed", "interrupted"];
const KEY = "hurrah-notified";
/** The same event in another window is not later than this; later, it is another one. */
const SAME_EVENT_MS = 600_000;

/** @param {WatchStore} store */
export function mountRunNotifications(store) {
  const notifications = new NotificationSwitch();
  let before = store.get();
  store.watch(
    ({ run, newHurrah }) => [run?.id, run?.state, newHurrah],
    () => {
      const [earlier, now] = [before, store.get()];
      before = now;
      const { run, newHurrah } = now;
      if (!run || earlier.run?.id !== run.id) return;
      if (run.state !== earlier.run.state && ENDS.includes(run.state)) {
        tell(run, `${run.state} at ${run.update}`, endOf(run));
      }
      if (newHurrah && newHurrah !== earlier.newHurrah) {
        tell(run, `hurrah at ${newHurrah.update}`, firstNames(run, newHurrah));
      }
    },
  );

  /**
   * @param {Run} run
   * @param {string} event
   * @param {{title: string, body: string}} text
   */
  function tell(run, event, { title, body }) {
    if (!notifications.isOn || document.visibilityState === "visible") return;
    // A later notification with the same tag replaces the earlier one.
    const tag = `hurrah ${run.id} ${event.split(" ", 1)[0]}`;
    const icon = rooted("/apple-touch-icon.png");
    onceInAllWindows(`${run.id} ${event}`, () => notifications.notify(title, { body, tag, icon }));
  }
}

/** @param {Run} run */
function endOf(run) {
  const loss = format.loss(run.smooth_loss);
  const where = `At update ${format.count(run.update)}, smooth loss ${loss}.`;
  return {
    title: `${run.name}: ${format.stateLabel(run.state)}`,
    body: run.error ? `${run.error} ${where}` : where,
  };
}

/**
 * @param {Run} run
 * @param {{update: number, words: string[]}} hurrah
 */
const firstNames = (run, { update, words }) => ({
  title: `${run.name}: hurrah - ${format.joinWords(words)}`,
  body: `For the first time, in the sample at update ${format.count(update)}.`,
});

/**
 * Call `show` unless another window of this browser has done so for the same event.
 *
 * @param {string} event
 * @param {() => void} show
 */
function onceInAllWindows(event, show) {
  navigator.locks.request(KEY, () => {
    const now = Date.now();
    const recent = seen().filter(([, time]) => now - time < SAME_EVENT_MS);
    if (recent.some(([known]) => known === event)) return;
    try {
      localStorage.setItem(KEY, JSON.stringify([...recent, [event, now]]));
    } catch {
      // Storage may be blocked; the tag then leaves one notification on the screen.
    }
    show();
  });
}

/** @returns {[string, number][]} the events of all windows, and when they were told. */
function seen() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "[]");
  } catch {
    return [];
  }
}
