/** A table of the runs: one row each, sortable by any column. */

import { tableOf } from "./columns.js";
import { isPageOutdated, metricInView, visibleRuns } from "./reducers.js";
import { markerIcon } from "./series-styles.js";
import { el, find, focusedElement, icon, rooted, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

const BETWEEN_MS = 250;

/** @typedef {{item: any, cells: any[], marker: any, name: any, origin: any}} Row its elements. */
/** @typedef {import("./columns.js").Column} Column */

export class CompareTable {
  #store;
  #actions;
  #head = find("#compare-head");
  #body = find("#compare-body");
  /** @type {Map<string, Row>} */
  #rows = new Map(); // by run id
  #columns = "";
  /** @type {number | undefined} */
  #timer;

  /**
   * @param {CompareStore} store
   * @param {Object} actions
   * @param {(live: ComparedRun) => void} actions.fork
   * @param {(run: Run) => void} actions.remove
   * @param {(live: ComparedRun, done: () => void) => HTMLElement} actions.nameField a field for
   *   the new name, which is to be removed when `done` is called.
   */
  constructor(store, actions) {
    this.#store = store;
    this.#actions = actions;
    store.watch(
      (state) => [
        ...[state.live, state.pendingDelete, state.chosen, state.y, state.goal, state.suggested],
        ...[state.reached, state.sort, isPageOutdated(state)],
        ...[metricInView(state), state.metricCurves],
      ],
      () => {
        this.#timer ??= setTimeout(() => this.#show(), this.#rows.size ? BETWEEN_MS : 0);
      },
    );
    // The user's own actions take effect at once.
    store.watch(
      ({ pendingDelete, sort, chosen }) => [pendingDelete, sort, chosen],
      () => this.#show(),
    );
  }

  #show() {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const state = this.#store.get();
    const { columns, shared, rows } = tableOf(state);
    find("#compare-table").hidden = !rows.length;
    find("#compare-copy").hidden = !rows.length;
    find("#compare-none").hidden = rows.length > 0;
    setText(find("#compare-shared"), shared);
    const signature = columns.map(({ key, label }) => `${key} ${label}`).join();
    if (signature !== this.#columns) this.#buildHead(columns, signature);
    this.#showSort(state.sort);
    for (const id of this.#rows.keys()) {
      if (!rows.some((row) => row.id === id)) this.#rows.delete(id);
    }
    this.#order(rows.map((row) => this.#showRow(row, columns, state)));
  }

  /** @param {any[]} items */
  #order(items) {
    for (const row of [...this.#body.children]) if (!items.includes(row)) row.remove();
    // Moving a row would end the renaming.
    if (!this.#body.querySelector("input")) setChildren(this.#body, items);
  }

  /**
   * Build the head, and the cells of each row but the first. That one stays: a click may be under
   * way, a button may have the focus, or the name may be a field.
   *
   * @param {Column[]} columns
   * @param {string} signature
   */
  #buildHead(columns, signature) {
    const focused = focusedElement()?.closest("[data-column]")?.getAttribute("data-column");
    this.#columns = signature;
    for (const { item, cells } of this.#rows.values()) {
      cells.splice(1).forEach((cell) => cell.remove());
      cells.push(...cellsAfterName(columns));
      item.append(...cells.slice(1));
    }
    this.#head.replaceChildren(
      ...columns.map(({ key, label, figure }) =>
        el(
          "th",
          { scope: "col", "data-column": key, class: figure ? "figure-column" : null },
          el("button", { type: "button", text: label, on: { click: () => this.#sort(key) } }),
        ),
      ),
    );
    if (focused) this.#head.querySelector(`[data-column="${focused}"] button`)?.focus();
  }

  /** @param {CompareState["sort"]} sort */
  #showSort(sort) {
    for (const head of this.#head.children) {
      const sorts = head.dataset.column === sort?.by;
      const order = sort?.descending ? "descending" : "ascending";
      if (sorts) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    }
  }

  /** Ascending, descending, and back to the order of selection. @param {string} by */
  #sort(by) {
    const { sort } = this.#store.get();
    const again = sort?.by === by;
    const next = again && sort?.descending ? null : { by, descending: again };
    this.#store.dispatch({ type: "sort", sort: next });
  }

  /**
   * @param {ComparedRun} row
   * @param {Column[]} columns
   * @param {CompareState} state
   * @returns {any} the row's element.
   */
  #showRow(row, columns, state) {
    const elements = this.#rows.get(row.id) ?? this.#newRow(row, columns, state);
    this.#rows.set(row.id, elements);
    const { item, cells, marker, name, origin } = elements;
    columns.forEach((column, i) => {
      if (i === 0) return;
      setText(cells[i], column.text(row));
      if (!column.figure) cells[i].title = column.text(row);
    });
    setText(name, row.run.name);
    name.href = rooted(`/?run=${encodeURIComponent(row.group?.figures[0].run.id ?? row.id)}`);
    setText(origin, aboutOf(row.run, state));
    if (marker.dataset.slot !== String(row.slot)) {
      marker.dataset.slot = String(row.slot);
      marker.replaceChildren(markerIcon(row.slot));
    }
    return item;
  }

  /**
   * @param {ComparedRun} row
   * @param {Column[]} columns
   * @param {CompareState} state
   * @returns {Row}
   */
  #newRow({ id, group }, columns, { operator }) {
    const marker = el("span", {});
    const name = el("a", { class: "compare-name", title: "Watch this run" });
    const origin = el("small", {});
    const names = el("span", { class: "compare-names" }, name, origin);
    const head = el("th", { scope: "row" }, el("div", {}, marker, names));
    if (operator) head.firstChild.append(...this.#buttons(id, head, name, !group));
    const cells = [head, ...cellsAfterName(columns)];
    return { item: el("tr", { "data-run": id }, ...cells), cells, marker, name, origin };
  }

  /**
   * @param {string} id
   * @param {any} head
   * @param {any} name
   * @param {boolean} single whether it is a run and not a group.
   */
  #buttons(id, head, name, single) {
    const live = () => {
      const state = this.#store.get();
      return /** @type {ComparedRun} */ (visibleRuns(state).find((each) => each.id === id));
    };
    const rename = small("edit", "Rename", () => {
      const done = () => {
        field.replaceWith(name);
        find("[data-action=edit]", head).focus();
        this.#show();
      };
      const field = this.#actions.nameField(live(), done);
      name.replaceWith(field);
    });
    if (!single) return [rename];
    return [
      small("fork", "Fork", () => this.#actions.fork(live())),
      rename,
      small("trash", "Delete", () => {
        const item = head.parentElement;
        const next = item.nextElementSibling ?? item.previousElementSibling;
        this.#actions.remove(live().run);
        (next ? find("[data-action=trash]", next) : find("#main")).focus();
      }),
    ];
  }
}

/**
 * Empty cells of a row for all columns but the first, which has the name.
 *
 * @param {Column[]} columns
 */
const cellsAfterName = (columns) =>
  columns
    .slice(1)
    .map(({ label, figure }) =>
      el("td", { "data-label": label, class: figure ? "figure-column" : null }),
    );

/**
 * The origin of a run, and the user's losses beside it.
 *
 * @param {Run} run
 * @param {CompareState} state
 */
const aboutOf = (run, state) =>
  [originOf(run, state), run.own_losses && `dotted: ${run.own_losses.file}`]
    .filter(Boolean)
    .join("; ");

/**
 * "fork of “Baseline” at 12,000", or the file of its first weights.
 *
 * @param {Run} run
 * @param {CompareState} state
 */
function originOf({ forked_from: from, given_weights: weights }, { allRuns }) {
  if (!from) return weights ? `started from ${weights.file}` : "";
  const parent = allRuns?.find(({ id }) => id === from.run);
  const name = parent ? `“${parent.name}”` : "a deleted run";
  return `fork of ${name} at ${format.count(from.update)}`;
}

/**
 * @param {string} name
 * @param {string} label
 * @param {() => void} click
 */
function small(name, label, click) {
  return el(
    "button",
    {
      type: "button",
      class: "button button-small button-square button-plain",
      "data-action": name,
      "aria-label": label,
      title: label,
      on: { click },
    },
    icon(name),
  );
}
