/** The list of all runs, from which the ones to compare are selected. */

import { LIMIT_CHOSEN, swatch } from "./series-styles.js";
import { isPageOutdated, visibleIds } from "./reducers.js";
import { el, find, icon, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { networkSummary } from "../lib/network-summary.js";
import { groupRun, groupState } from "../groups/group-run.js";
import { folded } from "../run-lists/groups.js";
import { distinctions } from "../run-lists/labels.js";
import { listedRuns } from "../run-lists/order.js";
import { LEAST_SEARCHED, moreRow, PAGE_RUNS } from "../run-lists/pages.js";

/** @param {CompareStore} store */
export function mountRunPicker(store) {
  const list = find("#compare-runs");
  /** @type {Map<string, ReturnType<typeof rowOf>>} */
  const rows = new Map(); // by id
  const tools = find("#compare-tools");
  const search = find("#compare-search");
  const filter = find("#compare-filter");
  let shown = PAGE_RUNS;
  /** @type {Set<string>} */
  const unfolded = new Set(); // ids of groups
  for (const input of [search, filter]) {
    input.addEventListener("input", () => {
      shown = PAGE_RUNS;
      fill();
    });
  }

  /** @param {string} id */
  function rowOf(id) {
    const input = el("input", {
      type: "checkbox",
      on: { change: () => store.dispatch({ type: "toggle", id }) },
    });
    const swatchHost = el("span", { class: "picker-swatch" });
    const dot = el("span", { class: "dot" });
    const name = el("span", { class: "run-name" });
    const about = el("span", { class: "run-about" });
    const label = el("label", { class: "picker-row" }, input, swatchHost, name, about, dot);
    const slot = /** @type {number | null} */ (null); // the style in view
    return { item: el("li", {}, label), input, swatchHost, name, about, dot, slot };
  }

  /**
   * @param {ReturnType<typeof rowOf>} row
   * @param {Run} run
   * @param {CompareState} state
   * @param {boolean} full whether no more runs can be selected.
   * @param {string | undefined} more what tells it apart from other runs with its name.
   * @param {Run[]} [members] if it stands for a group.
   */
  function show(row, run, state, full, more, members) {
    const { slots, live } = state;
    const slot = slots[run.id] ?? null;
    const now = live[run.id]?.run ?? run;
    row.input.checked = slot !== null;
    row.input.disabled = full && slot === null;
    row.item.dataset.chosen = String(slot !== null);
    if (row.slot !== slot) {
      row.swatchHost.replaceChildren(...(slot === null ? [] : [swatch(slot)]));
      row.slot = slot;
    }
    setText(row.name, now.name);
    const known = members
      ? groupState(members)
      : format.knownState(now.state, isPageOutdated(state));
    const stateLine = `${known} at ${format.count(now.update)}`;
    setText(row.about, [more, stateLine, networkSummary(now.spec)].filter(Boolean).join("; "));
    row.name.title = now.name;
    row.about.title = row.about.textContent;
    row.dot.dataset.state = now.state;
  }

  /**
   * The runs and groups that match the search, and the selected ones, which can always be
   * unselected; a page of them, with the selected ones after it.
   *
   * @param {CompareState} state
   */
  function matching({ runs, chosen }) {
    const all = runs ?? [];
    const wanted = tools.hidden
      ? { text: "", filter: "all" }
      : { text: search.value, filter: filter.value };
    const found = new Set(listedRuns(all, wanted));
    const isChosen = (/** @type {Run} */ { id, group }) =>
      chosen.includes(id) || (group !== null && chosen.includes(group.id));
    const listed = folded(all.filter((run) => found.has(run) || isChosen(run)));
    const page = listed.filter(
      ({ run, group }, i) => i < shown || (run ? [run] : group.members).some(isChosen),
    );
    return { page, total: listed.length };
  }

  function showMore() {
    const first = list.children.length - 1;
    shown += PAGE_RUNS;
    fill();
    list.children[first]?.querySelector("input").focus();
  }

  function fill() {
    const state = store.get();
    const runs = state.runs ?? [];
    const count = visibleIds(state).length;
    const full = state.chosen.length >= LIMIT_CHOSEN;
    const known = distinctions(runs);
    tools.hidden = runs.length < LEAST_SEARCHED;
    const { page, total } = matching(state);
    const itemOf = (/** @type {Run} */ run, /** @type {Run[] | undefined} */ members) => {
      const row = rows.get(run.id) ?? rowOf(run.id);
      rows.set(run.id, row);
      show(row, run, state, full, members ? undefined : known.get(run.id)?.more, members);
      return row.item;
    };
    const items = page.flatMap(({ run, group }) => {
      if (run) return [itemOf(run, undefined)];
      const { id, name, members } = group;
      const item = itemOf(groupRun(id, name, members), members);
      const open = unfolded.has(id);
      foldButton(item, name, open, () => {
        if (!unfolded.delete(id)) unfolded.add(id);
        fill();
      });
      const shownMembers = members.filter((each) => open || state.chosen.includes(each.id));
      return [
        item,
        ...shownMembers.map((each) => {
          const member = itemOf(each, undefined);
          member.classList.add("picker-member");
          return member;
        }),
      ];
    });
    if (total > page.length) items.push(moreRow(page.length, total, showMore));
    else if (!page.length && runs.length) {
      items.push(el("li", { class: "hint", text: "No run matches." }));
    }
    setChildren(list, items);
    const ids = new Set(runs.flatMap(({ id, group }) => (group ? [id, group.id] : [id])));
    for (const id of rows.keys()) if (!ids.has(id)) rows.delete(id);
    setText(find("#compare-dropped"), droppedSentence(state));
    setText(find("#compare-count"), state.runs ? countSentence(count, runs.length) : "");
  }

  store.watch(
    (state) => [
      ...[state.runs, state.pendingDelete, state.chosen, state.dropped, isPageOutdated(state)],
      ...Object.values(state.live).map(({ run }) => `${run.name} ${run.state}`),
    ],
    fill,
  );
}

/**
 * Add the button that opens the rows of the members, or update it.
 *
 * @param {any} item
 * @param {string} name
 * @param {boolean} open
 * @param {() => void} toggle
 */
function foldButton(item, name, open, toggle) {
  const label = `Single runs of ${name}`;
  let button = item.querySelector("button");
  if (!button) {
    button = el("button", {
      ...{ type: "button", class: "button button-small button-square button-plain" },
      ...{ "aria-label": label, title: label },
      on: { click: toggle },
    });
    item.classList.add("picker-group");
    item.append(button);
  }
  if (button.getAttribute("aria-expanded") === String(open)) return;
  button.setAttribute("aria-expanded", String(open));
  button.replaceChildren(icon(open ? "up" : "down"));
}

/** The selected runs beyond the limit, by name. @param {CompareState} state */
function droppedSentence({ dropped, runs }) {
  const left = (runs ?? []).filter(({ id }) => dropped.includes(id));
  if (!left.length) return "";
  const names = left.map(({ name }) => `“${name}”`).join(", ");
  return `Not shown, since at most ${LIMIT_CHOSEN} runs fit: ${names}.`;
}

/**
 * @param {number} count
 * @param {number} all
 */
function countSentence(count, all) {
  if (!all) return "There are no runs yet.";
  const of = `${format.count(count)} of ${format.count(all)}`;
  return count >= LIMIT_CHOSEN ? `${of} selected, the maximum` : `${of} selected`;
}
