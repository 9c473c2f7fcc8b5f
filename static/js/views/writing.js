/** The sample in view as a page of a novel, the samples before it, and how real they are. */

import { animate, el, find, setText } from "../dom.js";
import * as format from "../format.js";
import { indexInView, watchWords } from "../samples.js";
import { inline, prose } from "./prose.js";

const EARLIER_SHOWN = 12;
const FADE_MS = 220;

/** @param {Object} store */
export function mountWriting(store) {
  const title = find("#writing-title");
  const lossNote = find("#writing-loss");
  const page = find("#page-now");
  const earlier = find("#earlier");
  const quality = find("#quality");
  let shown = null;

  store.watch(
    (state) => [
      state.samples,
      indexInView(state),
      state.freshHurrah,
      watchWords(state.run).join("\n"),
      state.pinned === null && state.pointed === null,
      state.runId,
    ],
    (samples, index, freshHurrah, words, live) => {
      const sample = samples[index];
      const watched = words ? words.split("\n") : [];
      setText(title, heading(sample, live));
      setText(lossNote, lossWords(sample));
      if (sample !== shown) {
        const fresh = sample?.update === freshHurrah ? sample.hurrahs : [];
        turnPage(page, sample, watched, fresh);
        shown = sample;
      }
      const before = samples.slice(Math.max(0, index - EARLIER_SHOWN), Math.max(index, 0));
      const held = earlier.contains(document.activeElement);
      earlier.replaceChildren(
        ...before.reverse().map((old) => earlierPage(old, watched, store)),
      );
      earlier.scrollTop = 0;
      // The keyboard stays where it was, though the button that had it is another now.
      if (held) (earlier.querySelector("button") ?? page).focus();
      quality.replaceChildren(...qualityWords(sample?.quality));
    },
  );
}

/** "smooth loss 51.4, validation 53.0". */
function lossWords(sample) {
  const known = (value, name) => typeof value === "number" && `${name} ${format.loss(value)}`;
  return [known(sample?.smooth_loss, "smooth loss"), known(sample?.validation_loss, "validation")]
    .filter(Boolean)
    .join(", ");
}

function heading(sample, live) {
  if (!sample) return "The writing";
  const when =
    sample.update === 0 ? "before the first update" : `at update ${format.count(sample.update)}`;
  return live ? `The writing ${when}` : `The writing as it was ${when}`;
}

/** Replace the page by another with a short cross-fade; the page's place keeps its size. */
function turnPage(page, sample, watched, fresh) {
  const leaving = page.querySelector(".prose:not(.prose-leaving)");
  for (const old of page.querySelectorAll(".prose-leaving")) old.remove();
  find(".page-waiting", page).hidden = Boolean(sample);
  if (!sample) {
    leaving?.remove();
    return;
  }
  const marks = { invented: sample.invented, watched };
  const entering = prose(sample.text, marks, (word) => fresh.includes(word));
  page.append(entering);
  page.scrollTop = 0;
  animate(entering, [{ opacity: 0 }, { opacity: 1 }], { duration: FADE_MS, easing: "ease-out" });
  if (!leaving) return;
  leaving.classList.add("prose-leaving");
  leaving.setAttribute("aria-hidden", "true");
  const fade = animate(leaving, [{ opacity: 0.5 }, { opacity: 0 }], { duration: FADE_MS / 2 });
  if (fade) fade.addEventListener("finish", () => leaving.remove());
  else leaving.remove();
}

function earlierPage(sample, watched, store) {
  return el(
    "li",
    {},
    el(
      "button",
      {
        type: "button",
        "aria-label": `Show what it wrote at update ${format.count(sample.update)}`,
        on: { click: () => store.dispatch({ type: "pin", update: sample.update }) },
      },
      el("span", { class: "earlier-update", text: format.count(sample.update) }),
      el(
        "span",
        { class: "earlier-text" },
        ...inline(sample.text, { invented: sample.invented, watched }),
      ),
    ),
  );
}

/** "64% real words  7 in a row  14 characters copied". */
export function qualityWords(quality) {
  if (!quality) return [];
  const figure = (value, words) => el("span", {}, el("b", { text: value }), ` ${words}`);
  return [
    figure(format.share(quality.real_words), "real words"),
    figure(format.count(quality.longest_real_run), "in a row"),
    figure(format.count(quality.longest_copy), "characters copied"),
  ];
}
