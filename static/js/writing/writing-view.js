/** The text in view as a page of a novel, and what there is to say about it. */

import { changesBetween } from "./word-diff.js";
import { animate, el, find, setText, scrollToTopOf } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { isLive, textInView, textOf, watchWords } from "../state/samples.js";
import { prose } from "../ui/prose.js";

/** Why a run in such a state may have written nothing; in any other its first text is near. */
const WHY_EMPTY = {
  queued: "Nothing is written yet: this run waits its turn",
  failed: "Nothing was written",
  stopped: "Nothing was written",
};
const FADE_MS = 220;
const CHARACTER_PX = 8.7; // a generous mean at the page's size
const SPARE_LINES = 2;

/** @param {Object} store */
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
      const { sample, textMode, replayed, before } = textInView(state);
      const words = watchWords(state.run).join("\n");
      const emptyState = sample ? null : (state.run?.state ?? null);
      return [sample, textMode, replayed, before, words, isLive(state), state.freshHurrah, emptyState];
    },
    (sample, textMode, replayed, before, words, live, freshHurrah, emptyState) => {
      setText(find("#writing-title"), heading(sample, live));
      setText(find("#writing-loss"), lossWords(sample));
      modeChoice.hidden = live || !store.get().samples.some(({ replay }) => replay);
      for (const input of modeChoice.querySelectorAll("input")) input.checked = input.value === textMode;
      const changes = before && changesBetween(before.replay.text, sample.replay.text);
      const about = describeText(sample, { live, textMode, replayed, before, changes, emptyState });
      find("#sample-about").replaceChildren(...about);
      find(".text-loading", host).hidden = Boolean(sample) || emptyState in WHY_EMPTY;
      const now = [sample, textMode, before, words];
      if (now.every((value, i) => value === shown[i])) return;
      const marks = { watched: watchedIn(sample, words), changed: marked(changes) };
      const fresh = sample?.update === freshHurrah ? sample.hurrahs : [];
      scrollToTop();
      replaceText(host, sample && { ...textOf(sample, textMode), marks, fresh }, live && shown[0]);
      shown = now;
    },
  );
  reserveHeight(host, store);
}

/** The page has room for a whole sample, so that turning it moves nothing. */
function reserveHeight(host, store) {
  const measure = () => {
    const length = store.get().run?.spec.sample_length;
    if (!length || !host.clientWidth) return;
    const lines = Math.ceil((length * CHARACTER_PX) / host.clientWidth) + SPARE_LINES;
    host.style.setProperty("--lines", String(lines));
  };
  store.watch((state) => [state.run?.spec.sample_length], measure);
  new ResizeObserver(measure).observe(host);
}

/** The words that are marked: those watched now, and those that were a hurrah here. */
const watchedIn = (sample, words) => [
  ...new Set([...(words ? words.split("\n") : []), ...(sample?.hurrahs ?? [])]),
];

/** Where all has changed, marking all of it would tell nothing. */
const marked = (changes) => (changes && changes.changed < changes.words ? changes.spans : []);

/** "smooth loss 51.4, validation 53.0". */
function lossWords(sample) {
  const known = (value, name) => typeof value === "number" && `${name} ${format.loss(value)}`;
  return [known(sample?.smooth_loss, "smooth loss"), known(sample?.validation_loss, "validation")]
    .filter(Boolean)
    .join(", ");
}

/** "The writing as it was at update 5,000". */
export function heading(sample, live) {
  if (!sample) return "The writing";
  const when =
    sample.update === 0 ? "before the first update" : `at update ${format.count(sample.update)}`;
  return live ? `The writing ${when}` : `The writing as it was ${when}`;
}

/** One line about the text: how it came about, and what changed in it; its words name the marks. */
function describeText(sample, { live, textMode, replayed, before, changes, emptyState }) {
  if (!sample) return [WHY_EMPTY[emptyState] ?? ""];
  if (live) {
    const italics = el("span", { class: "invented", text: "italics" });
    return ["Going on from the book; words in ", italics, " are invented"];
  }
  if (textMode === "written") return ["From where it stood in the book"];
  if (!replayed) return ["As written: the network of this update was not kept"];
  if (sample.hurrahs?.length) return [`${format.joinWords(sample.hurrahs)} came in the text as written`];
  if (!before) return ["The first text with these random numbers"];
  const since = `since ${format.count(before.update)}`;
  if (!changes.changed) return [`Every word as it was ${since}`];
  if (changes.changed === changes.words) return [`Every word is another ${since}`];
  const [changed, words] = [format.count(changes.changed), format.count(changes.words)];
  const mark = el("span", { class: "changed", text: "changed" });
  return [`${changed} of ${words}`, el("span", { class: "sample-wide-only", text: " words" }), " ", mark, ` ${since}`];
}

/** Replace the page by another; with a short cross-fade when it is news, and at once otherwise. */
function replaceText(host, text, isNews) {
  const fading = host.querySelector(".prose:not(.prose-fading)");
  for (const old of host.querySelectorAll(".prose-fading")) old.remove();
  if (!text || !isNews) fading?.remove();
  if (!text) return;
  const marks = { invented: text.invented_words, ...text.marks };
  const entering = prose(text.text, marks, (word) => text.fresh.includes(word));
  host.append(entering);
  if (!isNews || !fading) return;
  animate(entering, [{ opacity: 0 }, { opacity: 1 }], { duration: FADE_MS, easing: "ease-out" });
  fading.classList.add("prose-fading");
  fading.setAttribute("aria-hidden", "true");
  const fade = animate(fading, [{ opacity: 0.5 }, { opacity: 0 }], { duration: FADE_MS / 2 });
  if (fade) fade.addEventListener("finish", () => fading.remove());
  else fading.remove();
}
