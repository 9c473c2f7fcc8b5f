/** The tabs of the card beside the curve: writing and reading. */

import { find } from "../lib/dom.js";
import { isClicked } from "../lib/focus.js";

/** @param {WatchStore} store */
export function mountCardTabs(store) {
  const list = find("#card-tabs");
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const open = (tab) => store.dispatch({ type: "sideTab", sideTab: tab.dataset.sideTab });
  for (const tab of tabs) tab.addEventListener("click", () => open(tab));

  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(event.target);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0 || isClicked(event.target)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // elsewhere the same keys move along the timeline
    const tab = tabs.at(to % tabs.length);
    open(tab);
    tab.focus();
  });

  store.watch(
    (state) => [state.sideTab],
    (sideTab) => {
      for (const tab of tabs) {
        const chosen = tab.dataset.sideTab === sideTab;
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
        find(`#${tab.getAttribute("aria-controls")}`).hidden = !chosen;
      }
    },
  );
}
