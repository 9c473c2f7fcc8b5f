/** The text in view as a page of a novel, and what there is to say about it. */

import { changesBetween } from "./word-diff.js";
import { animate, el, find, setText, topOf } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { listed } from "../state/hurrah-label.js";
import { isLive, textInView, textOf, watchWords } from "../state/samples.js";
import { prose } from "../ui/prose.js";

export { qualityWords } from "./quality.js";

/** Why a run in such a state may have written nothing; in any other its first text is near. */
const WHY_NOTHING = {
  queued: "Nothing is written yet: this run waits its turn",
  failed: "Nothing was written",
  stopped: "Nothing was written",
};
const FADE_MS = 220;
const CHARACTER_PX = 8.7; // a generous mean at the page's size
const SPARE_LINES = 2;

/** @param {Object} store */
export function mountWriting(store) {
  const page = find("#page-now");
  const toTop = topOf(page);
  const dice = find("#dice");
  let shown = [];

  dice.addEventListener("change", ({ target }) =>
    store.dispatch({ type: "dice", dice: target.value }),
  );
  store.watch(
    (state) => {
      const { sample, telling, replayed, before } = textInView(state);
      const words = watchWords(state.run).join("\n");
      const still = sample ? null : (state.run?.state ?? null);
      return [sample, telling, replayed, before, words, isLive(state), state.freshHurrah, still];
    },
    (sample, telling, replayed, before, words, live, freshHurrah, still) => {
      setText(find("#writing-title"), heading(sample, live));
      setText(find("#writing-loss"), lossWords(sample));
      dice.hidden = live || !store.get().samples.some(({ replay }) => replay);
      for (const input of dice.querySelectorAll("input")) input.checked = input.value === telling;
      const changes = before && changesBetween(before.replay.text, sample.replay.text);
      const about = aboutPage(sample, { live, telling, replayed, before, changes, still });
      find("#page-about").replaceChildren(...about);
      find(".page-waiting", page).hidden = Boolean(sample) || still in WHY_NOTHING;
      const now = [sample, telling, before, words];
      if (now.every((value, i) => value === shown[i])) return;
      const marks = { watched: watchedIn(sample, words), changed: marked(changes) };
      const fresh = sample?.update === freshHurrah ? sample.hurrahs : [];
      toTop();
      turnPage(page, sample && { ...textOf(sample, telling), marks, fresh }, live && shown[0]);
      shown = now;
    },
  );
  keepSize(page, store);
}

/** The page has room for a whole sample, so that turning it moves nothing. */
function keepSize(page, store) {
  const measure = () => {
    const length = store.get().run?.spec.sample_length;
    if (!length || !page.clientWidth) return;
    const lines = Math.ceil((length * CHARACTER_PX) / page.clientWidth) + SPARE_LINES;
    page.style.setProperty("--lines", String(lines));
  };
  store.watch((state) => [state.run?.spec.sample_length], measure);
  new ResizeObserver(measure).observe(page);
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
function aboutPage(sample, { live, telling, replayed, before, changes, still }) {
  if (!sample) return [WHY_NOTHING[still] ?? ""];
  if (live) {
    const italics = el("span", { class: "invented", text: "italics" });
    return ["Going on from the book; words in ", italics, " are invented"];
  }
  if (telling === "written") return ["From where it stood in the book"];
  if (!replayed) return ["As written: the network of this update was not kept"];
  if (sample.hurrahs?.length) return [`${listed(sample.hurrahs)} came in the text as written`];
  if (!before) return ["The first text with these random numbers"];
  const since = `since ${format.count(before.update)}`;
  if (!changes.changed) return [`Every word as it was ${since}`];
  if (changes.changed === changes.words) return [`Every word is another ${since}`];
  const [changed, words] = [format.count(changes.changed), format.count(changes.words)];
  const mark = el("span", { class: "changed", text: "changed" });
  return [`${changed} of ${words}`, el("span", { class: "page-spare", text: " words" }), " ", mark, ` ${since}`];
}

/** Replace the page by another; with a short cross-fade when it is news, and at once otherwise. */
function turnPage(page, text, isNews) {
  const leaving = page.querySelector(".prose:not(.prose-leaving)");
  for (const old of page.querySelectorAll(".prose-leaving")) old.remove();
  if (!text || !isNews) leaving?.remove();
  if (!text) return;
  const marks = { invented: text.invented_words, ...text.marks };
  const entering = prose(text.text, marks, (word) => text.fresh.includes(word));
  page.append(entering);
  if (!isNews || !leaving) return;
  animate(entering, [{ opacity: 0 }, { opacity: 1 }], { duration: FADE_MS, easing: "ease-out" });
  leaving.classList.add("prose-leaving");
  leaving.setAttribute("aria-hidden", "true");
  const fade = animate(leaving, [{ opacity: 0.5 }, { opacity: 0 }], { duration: FADE_MS / 2 });
  if (fade) fade.addEventListener("finish", () => leaving.remove());
  else leaving.remove();
}
