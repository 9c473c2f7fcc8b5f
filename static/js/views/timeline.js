/** The timeline under the writing: a slider over the samples, play, and the way back to live. */

import { find, svg } from "../dom.js";
import * as format from "../format.js";
import { indexInView } from "../samples.js";

const PLAY_MS = 800;
const THUMB_PX = 18;

/** @param {Object} store */
export function mountTimeline(store) {
  const slider = find("#timeline");
  const dots = find("#timeline-dots");
  const live = find("#timeline-live");
  const play = find("#timeline-play");
  let timer = null;

  slider.addEventListener("input", () => {
    stop();
    goTo(Number(slider.value));
  });
  live.addEventListener("click", () => {
    stop();
    store.dispatch({ type: "pin", update: null });
  });
  play.addEventListener("click", () => (timer === null ? start() : stop()));

  /** Stay with the sample of this index; the newest one is live. */
  function goTo(index) {
    const { samples } = store.get();
    const clipped = Math.max(0, Math.min(index, samples.length - 1));
    const newest = clipped === samples.length - 1;
    store.dispatch({ type: "pin", update: newest ? null : samples[clipped].update });
  }

  function start() {
    const { pinned } = store.get();
    if (pinned === null) goTo(0);
    timer = setInterval(() => {
      const state = store.get();
      goTo(indexInView(state) + 1);
      if (store.get().pinned === null) stop();
    }, PLAY_MS);
    showPlaying();
  }

  function stop() {
    clearInterval(timer);
    timer = null;
    showPlaying();
  }

  function showPlaying() {
    const playing = timer !== null;
    find("use", play).setAttribute("href", playing ? "#icon-pause" : "#icon-play");
    play.setAttribute("aria-label", playing ? "Stop playing" : "Play the samples one by one");
  }

  store.watch(
    (state) => [state.samples, indexInView(state), state.pinned, state.pointed],
    (samples, index, pinned, pointed) => {
      slider.max = String(Math.max(samples.length - 1, 0));
      slider.value = String(Math.max(index, 0));
      slider.disabled = samples.length < 2;
      play.disabled = samples.length < 2;
      slider.setAttribute(
        "aria-valuetext",
        samples[index] ? `update ${format.count(samples[index].update)}` : "no samples yet",
      );
      live.setAttribute("aria-pressed", String(pinned === null && pointed === null));
    },
  );
  store.watch(
    (state) => [state.samples],
    (samples) => drawDots(dots, samples),
  );
  new ResizeObserver(() => drawDots(dots, store.get().samples)).observe(dots.parentElement);

  return { move: (by) => (stop(), goTo(indexInView(store.get()) + by)), goTo, stop };
}

function drawDots(dots, samples) {
  const { clientWidth: width, clientHeight: height } = dots.parentElement;
  const usable = width - THUMB_PX;
  const y = height / 2;
  const step = usable / Math.max(samples.length - 1, 1);
  const radius = Math.max(1.2, Math.min(4, step / 3.2));
  dots.replaceChildren(
    svg("line", { x1: THUMB_PX / 2, x2: width - THUMB_PX / 2, y1: y, y2: y }),
    ...samples.map((sample, i) =>
      svg("circle", {
        cx: THUMB_PX / 2 + (samples.length > 1 ? i * step : 0),
        cy: y,
        r: sample.hurrahs?.length ? Math.max(radius, 3) : radius,
        class: sample.hurrahs?.length ? "has-hurrah" : "",
      }),
    ),
  );
}
