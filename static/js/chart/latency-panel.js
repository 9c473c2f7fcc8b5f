/** The latency panel: how old the displayed data is, and how much of it is drawn. */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { finestCurve } from "../curve/scales.js";
import { connectionSentence, isOutdated } from "../ui/connection.js";
import { popover } from "../ui/popover.js";

const MAX_MEASUREMENTS = 100; // drawings over which the latency is measured
// A snapshot may be a second older than the message before it.
const TOLERANCE_MS = 2000;
const SHOWN_EVERY_MS = 1000;
const FRAMES_OVER_MS = 5000;
const ENDED = ["finished", "stopped"];
const NOT_YET = "not measured yet";

export class LatencyPanel {
  #store;
  #clock;
  #chart = find("#chart");
  #panel;
  #waiting = []; // {update, sentAt} of messages that were not drawn yet
  #latencies = [];
  #lastSentAt = -Infinity;
  #points = 0;
  #frames = new FrameCount();

  /**
   * @param {WatchStore} store
   * @param {import("../net/server-clock.js").ServerClock} clock
   */
  constructor(store, clock) {
    this.#store = store;
    this.#clock = clock;
    this.#panel = popover(find("#connection"), find("#latency-panel"), () => this.#frames.start());
    this.#chart.addEventListener("drawn", ({ detail }) => this.#drawn(detail));
    store.watch(
      ({ connection, runId }) => [connection.status, runId],
      () => this.#reset(),
    );
    setInterval(() => this.#show(), SHOWN_EVERY_MS);
  }

  /**
   * A message has arrived.
   *
   * @param {ServerMessage} message
   */
  received(message) {
    const sentAt = message.sent_at * 1000;
    // Messages arrive in the order in which they were sent.
    if (sentAt < this.#lastSentAt - TOLERANCE_MS || this.#clock.aheadMs === null) {
      this.#clockWasSet();
    }
    this.#lastSentAt = sentAt;
    if (message.type !== "progress" || document.visibilityState !== "visible") return;
    this.#waiting.push({ update: message.update, sentAt });
    if (this.#waiting.length > MAX_MEASUREMENTS) this.#waiting.shift();
  }

  /** The curve was drawn up to `update`; the next frame shows it. */
  #drawn({ update, points }) {
    this.#points = points;
    const shown = this.#waiting.filter((message) => message.update <= update);
    if (!shown.length) return;
    this.#waiting = this.#waiting.filter((message) => message.update > update);
    requestAnimationFrame(() => {
      const now = this.#clock.now();
      if (now === null) return;
      // Messages since the last drawing waited for this one: the oldest waited longest.
      const latency = now - shown[0].sentAt;
      if (latency < -this.#clock.errorMs - TOLERANCE_MS) {
        this.#clockWasSet();
        return;
      }
      this.#latencies.push(Math.max(latency, 0));
      if (this.#latencies.length > MAX_MEASUREMENTS) this.#latencies.shift();
    });
  }

  /** The server's clock was set: what was measured with the old difference is meaningless. */
  #clockWasSet() {
    this.#clock.resync();
    this.#reset();
  }

  #reset() {
    this.#waiting = [];
    this.#latencies = [];
    this.#show();
  }

  #show() {
    if (document.visibilityState !== "visible") return;
    const { connection, run } = this.#store.get();
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const live = connection.status === "live" && run?.state === "running";
    const middle = live ? quantile(sorted, 0.5) : null;
    setText(find("#connection-latency"), middle === null ? "" : `, ${format.count(middle)} ms`);
    if (!this.#panel.isOpen()) {
      this.#frames.stop();
      return;
    }
    setText(find("#latency-run"), trainingText(this.#store.get()));
    setText(find("#latency-update"), updateText(run));
    setText(find("#latency-delay"), this.#latencyText(sorted, run));
    setText(find("#latency-frames"), this.#frames.text());
    setText(find("#latency-points"), pointText(this.#points, this.#store.get()));
    setText(find("#latency-clocks"), this.#clockText());
    setText(find("#latency-connection"), connectionSentence(connection));
  }

  #latencyText(sorted, run) {
    const training = run?.state === "running";
    if (!sorted.length) return training ? NOT_YET : "not measured: no update came to this page";
    const [half, most] = [0.5, 0.95].map((share) => format.count(quantile(sorted, share)));
    const figures = `${half} ms (median), 95% within ${most} ms`;
    return training ? figures : `last known: ${figures}`;
  }

  #clockText() {
    const { aheadMs, errorMs } = this.#clock;
    if (aheadMs === null) return NOT_YET;
    const apart = `${format.count(Math.abs(aheadMs))} ms ${aheadMs < 0 ? "ahead of" : "behind"}`;
    return `this device is ${apart} the server (± ${format.count(Math.ceil(errorMs))} ms)`;
  }
}

/** Whether updates are on their way, and for a run that has ended, since when not. */
function trainingText({ run, checkpoints, connection }) {
  if (!run) return NOT_YET;
  if (isOutdated({ connection, run })) {
    return `${format.knownState(run.state, true)}; whether it still is, is unknown`;
  }
  const state = format.stateLabel(run.state);
  if (run.state === "running") return `${state}, updates are in flight`;
  // A run saves a checkpoint when it ends.
  const atEnd = checkpoints.find(({ update }) => update === run.update);
  const ended = ENDED.includes(run.state) ? atEnd : undefined;
  const since = ended ? ` ${format.dateAndTime(ended.created_at)}` : "";
  return `${state}${since}; nothing is in flight`;
}

/** "3,000, smooth loss 63.2, 1,480 updates a second on average" */
function updateText(run) {
  if (!run?.update) return "none yet";
  const parts = [format.count(run.update), `smooth loss ${format.loss(run.smooth_loss)}`];
  if (run.seconds > 0) {
    parts.push(`${format.speed(run.update / run.seconds)} updates a second on average`);
  }
  return parts.join(", ");
}

const quantile = (sorted, share) =>
  sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? null;

function pointText(points, state) {
  if (!points || !state.run) return NOT_YET;
  const stored = format.count(finestCurve(state).update.length);
  const updates = format.plural(state.run.update, "update", "updates");
  const drawn = `${format.count(points)} of ${stored} points drawn`;
  return `${drawn}, for ${updates}, with minima and maxima`;
}

/** Counts late frames while the panel is open, since counting has a cost of its own. */
class FrameCount {
  #times = [];
  #request = null;

  start() {
    this.stop();
    this.#times = [];
    const tick = (time) => {
      this.#times.push(time);
      while (time - this.#times[0] > FRAMES_OVER_MS) this.#times.shift();
      this.#request = requestAnimationFrame(tick);
    };
    this.#request = requestAnimationFrame(tick);
  }

  stop() {
    cancelAnimationFrame(this.#request);
  }

  text() {
    const gaps = this.#times.slice(1).map((time, i) => time - this.#times[i]);
    if (gaps.length < 10) return "counting";
    // The usual gap is the refresh interval of the screen; a gap of three intervals loses two.
    const usual = quantile(
      gaps.toSorted((a, b) => a - b),
      0.5,
    );
    const lost = gaps.reduce((sum, gap) => sum + Math.max(Math.round(gap / usual) - 1, 0), 0);
    return `${format.count(lost)} of ${format.count(gaps.length + lost)} in the last five seconds`;
  }
}
