/** The sample in view, and a line about it. */

import { animate, el, find, scrollToTopOf, setText, textScaled } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isLive, textInView, textOf, watchWords } from "../state/samples.js";
import { prose } from "../ui/prose.js";

/** The reason why a run in this state may have no sample; in other states the first one is near. */
const WHY_EMPTY = {
  queued: "Nothing is written yet: this run is waiting for a free core",
  failed: "Nothing was written",
  stopped: "Nothing was written",
};
const FADE_MS = 220;
const CHARACTER_PX = 8.7; // a generous average at this font size
const SPARE_LINES = 2;

/** @param {WatchStore} store */
export function mountWritingView(store) {
  const host = find("#sample-text");
  const scrollToTop = scrollToTopOf(host);
  const modeChoice = find("#text-mode");
  let shown = [];

  modeChoice.addEventListener("change", ({ target }) =>
    store.dispatch({ type: "textMode", textMode: target.value }),
  );
  store.watch(
    (state) => {
      const { sample, textMode, replayed } = textInView(state);
      const words = watchWords(state.run).join("\n");
      const emptyState = sample ? null : (state.run?.state ?? null);
      const newest = state.samples.at(-1);
      return [
        ...[sample, textMode, replayed, words, isLive(state), sample === newest],
        ...[state.freshHurrah, emptyState],
      ];
    },
    (sample, textMode, replayed, words, live, newest, freshHurrah, emptyState) => {
      setText(find("#writing-title"), heading(sample, live && newest, replayed));
      setText(find("#writing-loss"), lossWords(sample));
      modeChoice.hidden = live || !store.get().samples.some(({ replay }) => replay);
      for (const input of modeChoice.querySelectorAll("input"))
        input.checked = input.value === textMode;
      find("#sample-about").replaceChildren(...describeText(sample, textMode, emptyState));
      find(".text-loading", host).hidden = Boolean(sample) || emptyState in WHY_EMPTY;
      const now = [sample, textMode, words];
      if (now.every((value, i) => value === shown[i])) return;
      // A hurrah is a word of the text as written; another text contains it by chance.
      const watched = replayed ? [] : watchedIn(sample, words);
      const fresh = sample?.update === freshHurrah ? sample.hurrahs : [];
      scrollToTop();
      const text = sample && { ...textOf(sample, textMode), watched, fresh };
      replaceText(host, text, live && shown[0]);
      shown = now;
    },
  );
  reserveHeight(host, store);
}

/** Reserve the height of a whole sample, so that changing the text moves nothing. */
function reserveHeight(host, store) {
  const measure = () => {
    const length = store.get().run?.spec.sample_length;
    if (!length || !host.clientWidth) return;
    const lines = Math.ceil((length * textScaled(CHARACTER_PX)) / host.clientWidth) + SPARE_LINES;
    host.style.setProperty("--lines", String(lines));
  };
  store.watch((state) => [state.run?.spec.sample_length], measure);
  new ResizeObserver(measure).observe(host);
}

/** The words to highlight: the watched ones, and the hurrahs of this sample. */
const watchedIn = (sample, words) => [
  ...new Set([...(words ? words.split("\n") : []), ...(sample?.hurrahs ?? [])]),
];

/** "smooth loss 51.4, validation 53.0". */
function lossWords(sample) {
  const known = (value, name) => typeof value === "number" && `${name} ${format.loss(value)}`;
  return [known(sample?.smooth_loss, "smooth loss"), known(sample?.validation_loss, "validation")]
    .filter(Boolean)
    .join(", ");
}

/** "Sample at update 5,000", "Same start, at update 5,000". */
export function heading(sample, newest, replayed = false) {
  if (!sample) return "Sample";
  const when =
    sample.update === 0 ? "before the first update" : `at update ${format.count(sample.update)}`;
  if (replayed) return `Same start, ${when}`;
  return newest ? `Newest sample, ${when}` : `Sample ${when}`;
}

/** One line about the text. The highlighted word serves as a legend. */
function describeText(sample, textMode, emptyState) {
  if (!sample) return [WHY_EMPTY[emptyState] ?? ""];
  if (textMode === "replay" && !sample.replay) return ["As written: there is no other text here"];
  if (textMode === "replay") return ["Begun alike at every update: only the learning differs"];
  const italics = el("span", { class: "invented", text: "italics" });
  return ["Words in ", italics, " are not in the corpus"];
}

/** Replace the text: with a short cross-fade if it is a new sample, or else at once. */
function replaceText(host, text, isNews) {
  const fading = host.querySelector(".prose:not(.prose-fading)");
  for (const old of host.querySelectorAll(".prose-fading")) old.remove();
  if (!text || !isNews) fading?.remove();
  if (!text) return;
  const { watched, fresh, invented_words: invented } = text;
  const entering = prose(text.text, { invented, watched }, (word) => fresh.includes(word));
  host.append(entering);
  if (!isNews || !fading) return;
  animate(entering, [{ opacity: 0 }, { opacity: 1 }], { duration: FADE_MS, easing: "ease-out" });
  fading.classList.add("prose-fading");
  fading.setAttribute("aria-hidden", "true");
  const fade = animate(fading, [{ opacity: 0.5 }, { opacity: 0 }], { duration: FADE_MS / 2 });
  if (fade) fade.addEventListener("finish", () => fading.remove());
  else fading.remove();
}
