/**
 * A tour of the main screen. It starts by itself at the first visit, and later only when asked for.
 * Its last stop has things to try.
 */

import { el, find, setText } from "../lib/dom.js";
import { lastUpdate } from "../curve/loss-curve.js";
import { toast } from "../ui/toasts.js";

/**
 * @typedef {Object} Starter a thing to try in a minute.
 * @property {string} label
 * @property {string} then a sentence that says what to look at.
 * @property {(state: WatchState) => boolean} isPossible
 * @property {() => void} run
 */

const KEY = "hurrah-introduced";
const STOPS = [
  {
    about: ".curve",
    title: "The curve: how it learns",
    text:
      "A small network guesses the next character of a text. The thick line is its loss: how " +
      "wrong the guesses are on average. It falls while the network learns. Each dot is the loss " +
      "of one update; where there are too many, a grey band spans them. The dotted lines are " +
      "guesses without a network.",
  },
  {
    about: ".writing",
    title: "The writing: what it has learned",
    text:
      "Every now and then the network writes some text. At first it writes noise. Then spaces, " +
      "then words, then names.",
  },
  {
    about: ".timeline",
    title: "The timeline: back in time",
    text: "Drag the slider to see earlier samples. “live” returns to the newest one.",
  },
  {
    about: ".controls",
    title: "The controls",
    text:
      "Pause the training, make single steps, or change its pace. The button at the end lets the " +
      "network write a passage.",
  },
  {
    about: ".top nav",
    title: "More to see",
    text:
      "“Inside” shows what the network computes, “Compare” several runs. Press ? for the meaning " +
      "of every term and for all keys.",
  },
];
const TRY = {
  about: null,
  title: "Now play",
  text: "Try one of these, or press a word such as “smooth loss” to see what it means.",
};

/**
 * @param {WatchStore} store
 * @param {Starter[]} starters
 * @param {() => boolean} maySuggest whether it may open by itself at the first visit.
 */
export function mountTour(store, starters, maySuggest) {
  const box = find("#tour");
  const next = find("#tour-next");
  const stops = [...STOPS, TRY];
  let at = -1; // the index of the stop in view

  function show(/** @type {number} */ stop) {
    for (const { about } of STOPS) delete find(about).dataset.explained;
    at = stop;
    box.hidden = stop < 0;
    if (stop < 0) return;
    const { about, title, text } = stops[stop];
    const isLast = stop === stops.length - 1;
    setText(find("#tour-count"), isLast ? "Try this" : `${stop + 1} of ${STOPS.length}`);
    setText(find("#tour-title"), title);
    setText(find("#tour-text"), text);
    setText(next, isLast ? "Done" : "Next");
    for (const button of ["#tour-skip", "#tour-close"]) find(button).hidden = isLast;
    find("#tour-starters").replaceChildren(...(isLast ? starterItems() : []));
    box.dataset.stop = String(stop + 1);
    if (about === null) return;
    const element = find(about);
    element.dataset.explained = "true";
    if (matchMedia("(width < 53.75em)").matches) {
      // On a phone the card covers the lower half.
      (stop === 0 ? find("#legend") : element).scrollIntoView({ block: "start" });
    }
  }

  const starterItems = () =>
    starters
      .filter(({ isPossible }) => isPossible(store.get()))
      .map(({ label, then, run }) => {
        const click = () => {
          leave();
          run();
          toast(then, { lastsMs: 12_000 });
        };
        const button = { type: "button", class: "button", text: label, on: { click } };
        return el("li", {}, el("button", button));
      });

  function leave() {
    const hadFocus = box.contains(document.activeElement);
    show(-1);
    if (hadFocus) find("#main").focus({ preventScroll: true });
  }

  /** Show a stop because the user asked for it. */
  function open(/** @type {number} */ stop) {
    find("#keys").close();
    show(stop);
    (box.querySelector("#tour-starters button") ?? next).focus();
  }

  next.addEventListener("click", () => (at < stops.length - 1 ? show(at + 1) : leave()));
  find("#tour-close").addEventListener("click", leave);
  find("#tour-skip").addEventListener("click", () => open(stops.length - 1));
  find("#tour-again").addEventListener("click", () => open(0));
  find("#tour-try").addEventListener("click", () => open(stops.length - 1));
  document.addEventListener(
    "click",
    ({ target }) => {
      if (at >= 0 && target instanceof Node && !box.contains(target)) leave();
    },
    { capture: true },
  );
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
  if (addressed || location.hash.includes("lesson=")) return;
  let due = true;
  store.watch(
    (state) => [lastUpdate(state.curve) > 0],
    (begun) => {
      if (!due || !begun) return;
      due = false;
      if (maySuggest() && isFirstVisit()) show(0);
    },
  );
}

/** Whether this browser has never shown the tour. Without storage that cannot be known. */
function isFirstVisit() {
  try {
    if (localStorage.getItem(KEY)) return false;
    localStorage.setItem(KEY, "yes");
    return true;
  } catch {
    return false;
  }
}
