/** How much each parameter matters for the goal, as bars. */

import { el, find, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { parameterLabel } from "./words.js";

/** @param {SweepsStore} store */
export function mountImportance(store) {
  const list = find("#importance-list");
  /** @type {Map<string, {item: any, bar: any, share: any}>} */
  const rows = new Map();

  /** @param {string} name */
  function rowOf(name) {
    const bar = el("span", { class: "importance-bar" });
    const share = el("span", { class: "importance-share" });
    const label = el("span", { class: "importance-name", text: parameterLabel(name) });
    const track = el("span", { class: "importance-track", "aria-hidden": "true" }, bar);
    return { item: el("li", {}, label, share, track), bar, share };
  }

  store.watch(
    ({ sweep }) => [sweep?.importance, sweep?.state],
    (importance) => {
      find("#importance-none").hidden = Boolean(importance);
      list.hidden = !importance;
      if (!importance) return;
      const sorted = Object.entries(importance).sort(([, a], [, b]) => b - a);
      const items = sorted.map(([name, value]) => {
        const row = rows.get(name) ?? rowOf(name);
        rows.set(name, row);
        setText(row.share, format.share(value));
        row.bar.style.setProperty("inline-size", `${Math.max(value, 0) * 100}%`);
        return row.item;
      });
      setChildren(list, items);
    },
  );
}
