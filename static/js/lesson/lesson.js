/**
 * The lesson in the address of the page: its text in a panel, and its controls hidden. It is kept
 * while the user goes to other pages, until the user leaves it.
 */

import { find, setText } from "../lib/dom.js";
import { toast } from "../ui/toasts.js";
import { hideGroups } from "./control-groups.js";
import { LessonDialog } from "./lesson-dialog.js";
import { fragmentOf, LessonLinkError, lessonFrom } from "./lesson-link.js";
import { paragraphsOf, plain } from "./lesson-text.js";

/** @typedef {import("./lesson-link.js").Lesson} Lesson */

export function mountLesson() {
  const panel = find("#lesson");
  const fold = find("#lesson-fold");
  /** @type {Lesson | null} */
  let lesson = null;
  let folded = false;

  function show() {
    panel.hidden = lesson === null;
    panel.dataset.folded = String(folded);
    fold.setAttribute("aria-expanded", String(!folded));
    find("#lesson-text").hidden = folded;
    setText(find("#lesson-title"), plain(lesson?.title ?? "") || "Lesson");
    find("#lesson-text").replaceChildren(...paragraphsOf(lesson?.text ?? ""));
    hideGroups(lesson?.hidden ?? []);
  }

  function writeAddress() {
    const fragment = lesson ? fragmentOf(lesson, folded) : "";
    if (fragment !== location.hash) {
      history.replaceState(history.state, "", location.pathname + location.search + fragment);
    }
  }

  function readAddress() {
    try {
      const found = lessonFrom(location.hash);
      if (found) ({ lesson, folded } = found);
    } catch (error) {
      if (!(error instanceof LessonLinkError)) throw error;
      lesson = null;
      toast("The lesson link is incomplete or damaged. This is the ordinary page.");
    }
    show();
    // Another fragment, as of the link to the main part, does not end a lesson.
    if (lesson || location.hash.includes("lesson=")) writeAddress();
  }

  fold.addEventListener("click", () => {
    folded = !folded;
    show();
    writeAddress();
  });
  find("#lesson-leave").addEventListener("click", () => {
    lesson = null;
    show();
    writeAddress();
    find("#main").focus({ preventScroll: true });
    toast("You have left the lesson. All controls are back.");
  });
  // Links to other pages of this server take the lesson along.
  document.addEventListener(
    "click",
    ({ target }) => {
      const link = target instanceof Element ? target.closest("a") : null;
      if (!lesson || !link || link.origin !== location.origin) return;
      if (!link.hash && !link.download) link.hash = fragmentOf(lesson, folded);
    },
    { capture: true },
  );
  addEventListener("hashchange", readAddress);
  readAddress();
  new LessonDialog(() => lesson);
}
