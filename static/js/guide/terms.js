/**
 * Explanations of terms: an element with `data-term` shows the meaning from the glossary while the
 * pointer or the keyboard focus is on it, and after a tap. Escape closes it.
 */

import { el, find } from "../lib/dom.js";

const DELAY_MS = 250;
const EDGE_PX = 8;

export function mountTerms() {
  const tip = el("p", { class: "term-tip", role: "tooltip", id: "term-tip", hidden: true });
  document.body.append(tip);
  /** @type {Element | null} */
  let shown = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  for (const term of document.querySelectorAll("[data-term]")) {
    // Controls inside a label or a list get the description themselves.
    const described = term.querySelector("input") ?? term;
    described.setAttribute("aria-describedby", `term-${term.getAttribute("data-term")}`);
  }

  const termOf = (/** @type {EventTarget | null} */ target) =>
    target instanceof Element ? target.closest("[data-term]") : null;

  /** @param {Element} term */
  function show(term) {
    clearTimeout(timer);
    shown = term;
    tip.textContent = find(`#term-${term.getAttribute("data-term")}`).textContent;
    (term.closest("dialog") ?? document.body).append(tip);
    tip.hidden = false;
    const place = term.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = tip;
    const left = Math.min(place.left, innerWidth - width - EDGE_PX);
    const below = place.bottom + 6;
    const top = below + height + EDGE_PX > innerHeight ? place.top - height - 6 : below;
    tip.style.translate = `${Math.max(left, EDGE_PX)}px ${Math.max(top, EDGE_PX)}px`;
  }

  function hide() {
    clearTimeout(timer);
    shown = null;
    tip.hidden = true;
  }

  document.addEventListener("pointerover", (event) => {
    const term = termOf(event.target);
    if (term === shown || event.pointerType === "touch" || tip.contains(event.target)) return;
    hide();
    if (term) timer = setTimeout(() => show(term), DELAY_MS);
  });
  document.addEventListener("focusin", ({ target }) => {
    const term = termOf(target);
    if (term && document.activeElement?.matches(":focus-visible")) show(term);
    else if (shown) hide();
  });
  document.addEventListener("focusout", () => shown && hide());
  // A term that is nothing but a term shows its meaning at a press; other controls do their work.
  document.addEventListener("click", ({ target }) => {
    const term = termOf(target);
    if (term?.matches(".term")) show(term);
    else if (shown) hide();
  });
  document.addEventListener("scroll", () => shown && hide(), { capture: true, passive: true });
  document.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Escape" || !shown) return;
      event.preventDefault(); // the dialog or the view around it stays
      event.stopPropagation();
      hide();
    },
    { capture: true },
  );
}
