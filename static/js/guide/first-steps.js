/** Three short steps over the page at the first visit. They never come back unless asked for. */

import { find, setText } from "../lib/dom.js";
import { lastUpdate } from "../curve/loss-curve.js";

const KEY = "hurrah-introduced";
const STEPS = [
  {
    about: ".curve",
    title: "The curve: how it learns",
    text:
      "A small network reads a text one character at a time and guesses the next one. The " +
      "thick line is its loss: how wrong the guesses are on average. It falls while the " +
      "network learns. Each dot is the loss of one update; where there are too many, a grey " +
      "band spans them. The dotted lines are guesses without a network.",
  },
  {
    about: ".writing",
    title: "The writing: what it has learned",
    text:
      "Every now and then the network writes some text of its own. At first it writes " +
      "noise. Then spaces, then words, then names. Words in italics are not in the text " +
      "that it reads. The newest sample is on top, earlier ones are below it.",
  },
  {
    about: ".controls",
    title: "Now play",
    text:
      "Point at a word such as “smooth loss” to see what it means. Drag the slider under " +
      "the writing to go back in time. Below you pause the training, change its pace, or " +
      "let the network write a whole passage.",
  },
];

/** @param {WatchStore} store */
export function mountFirstSteps(store) {
  const box = find("#first-steps");
  const next = find("#first-steps-next");
  let at = -1; // the index of the step in view

  function show(/** @type {number} */ step) {
    for (const { about } of STEPS) delete find(about).dataset.explained;
    at = step;
    box.hidden = step < 0;
    if (step < 0) return;
    const { about, title, text } = STEPS[step];
    setText(find("#first-steps-count"), `${step + 1} of ${STEPS.length}`);
    setText(find("#first-steps-title"), title);
    setText(find("#first-steps-text"), text);
    setText(next, step === STEPS.length - 1 ? "Done" : "Next");
    box.dataset.step = String(step + 1);
    const element = find(about);
    element.dataset.explained = "true";
    if (matchMedia("(width < 53.75em)").matches) {
      // On a phone the card covers the lower half.
      (step === 0 ? find("#legend") : element).scrollIntoView({ block: "start" });
    }
  }

  function leave() {
    const hadFocus = box.contains(document.activeElement);
    show(-1);
    if (hadFocus) find("#main").focus({ preventScroll: true });
  }

  next.addEventListener("click", () => (at < STEPS.length - 1 ? show(at + 1) : leave()));
  find("#first-steps-close").addEventListener("click", leave);
  find("#first-steps-again").addEventListener("click", () => {
    find("#keys").close();
    show(0);
    next.focus();
  });
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || at < 0 || document.querySelector("dialog[open]")) return;
      event.preventDefault();
      leave();
    },
    { capture: true },
  );

  // A link to a part of a run was sent to show that part.
  const addressed = [...new URLSearchParams(location.search).keys()].some((key) => key !== "run");
  if (addressed) return;
  let due = true;
  store.watch(
    (state) => [lastUpdate(state.curve) > 0],
    (begun) => {
      if (!due || !begun) return;
      due = false;
      if (isFirstVisit()) show(0);
    },
  );
}

/** Whether this browser has never shown the steps. Without storage that cannot be known. */
function isFirstVisit() {
  try {
    if (localStorage.getItem(KEY)) return false;
    localStorage.setItem(KEY, "yes");
    return true;
  } catch {
    return false;
  }
}
