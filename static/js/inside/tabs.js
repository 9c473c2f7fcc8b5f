/** The tabs of the views. */

import { find } from "../lib/dom.js";
import { isClicked } from "../lib/focus.js";
import { readsText } from "./views.js";

/** @param {InsideStore} store */
export function mountTabs(store) {
  const list = find("#inside-tabs");
  const tabs = [...list.querySelectorAll("[role=tab]")];
  const open = (tab) => store.dispatch({ type: "set", values: { view: tab.dataset.view } });
  for (const tab of tabs) tab.addEventListener("click", () => open(tab));

  list.addEventListener("keydown", (event) => {
    const at = tabs.indexOf(event.target);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined || at < 0 || isClicked(event.target)) return;
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    const tab = tabs.at(to % tabs.length);
    open(tab);
    tab.focus();
  });

  store.watch(
    (state) => [state.view],
    (view) => {
      // A link may name a view that does not exist.
      if (!tabs.some((tab) => tab.dataset.view === view)) {
        open(tabs[0]);
        return;
      }
      find("#inside").dataset.view = view;
      find("#inside-text-field").hidden = !readsText(store.get());
      for (const tab of tabs) {
        const chosen = tab.dataset.view === view;
        tab.setAttribute("aria-selected", String(chosen));
        tab.tabIndex = chosen ? 0 : -1;
        find(`#${tab.getAttribute("aria-controls")}`).hidden = !chosen;
      }
    },
  );
}
