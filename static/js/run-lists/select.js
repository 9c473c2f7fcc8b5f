/** A select of one run of many: grouped by state, with a search above it if there are many. */

import { el } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { distinctions, labelOf } from "./labels.js";
import { listedRuns } from "./order.js";
import { LEAST_SEARCHED } from "./pages.js";

const MAX_OPTIONS = 200;

/** @type {[string, string[]][]} */
const GROUPS = [
  ["Training", ["running"]],
  ["Waiting", ["queued"]],
  ["Paused", ["paused", "interrupted"]],
  ["Ended", ["finished", "stopped", "failed"]],
];

export class RunSelect {
  #select;
  #none;
  #search = el("input", {
    ...{ type: "search", class: "run-select-search", placeholder: "Find a run" },
    ...{ "aria-label": "Find a run", autocomplete: "off", hidden: true },
  });
  /** @type {Run[]} */
  #runs = [];
  #shown = "";

  /**
   * @param {HTMLSelectElement} select its changes are left to the caller.
   * @param {string} [none] the option for no run; without it one run is always selected.
   */
  constructor(select, none) {
    this.#select = select;
    this.#none = none;
    select.before(this.#search);
    this.#search.addEventListener("input", () => this.#fill());
    // A search neither changes the form around it nor sends it.
    const stop = (/** @type {Event} */ event) => event.stopPropagation();
    this.#search.addEventListener("change", stop);
    this.#search.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
      if (event.key === "Enter") event.preventDefault();
    });
  }

  /**
   * @param {Run[]} runs newest first.
   * @param {string} id of the selected run; "" for none.
   */
  show(runs, id) {
    this.#runs = runs;
    this.#search.hidden = runs.length < LEAST_SEARCHED;
    this.#fill(id);
  }

  #fill(id = this.#select.value) {
    const text = this.#search.hidden ? "" : this.#search.value;
    const found = listedRuns(this.#runs, { text, filter: "all" });
    const listed = found.slice(0, MAX_OPTIONS);
    // The selected run stays selectable whatever is searched for.
    const selected = this.#runs.find((run) => run.id === id);
    if (selected && !listed.includes(selected)) listed.unshift(selected);
    const known = distinctions(this.#runs);
    const options = listed.map((run) => ({ ...run, label: labelOf(run, known) }));
    const shown = options.map((each) => `${each.id} ${each.state} ${each.label}`).join("\n");
    if (`${found.length}\n${shown}` !== this.#shown) {
      this.#shown = `${found.length}\n${shown}`;
      this.#select.replaceChildren(
        ...(this.#none === undefined ? [] : [el("option", { value: "", text: this.#none })]),
        ...groupsOf(options),
        ...moreOf(found.length - MAX_OPTIONS),
      );
    }
    this.#select.value = id;
  }
}

/** @param {{id: string, state: string, label: string}[]} runs */
function groupsOf(runs) {
  const groups = GROUPS.map(([label, states]) => {
    const options = runs
      .filter(({ state }) => states.includes(state))
      .map(({ id, label: text }) => el("option", { value: id, text }));
    return { label, options };
  }).filter(({ options }) => options.length);
  if (groups.length < 2) return groups.flatMap(({ options }) => options);
  return groups.map(({ label, options }) => el("optgroup", { label }, ...options));
}

/** @param {number} count the runs that are left out. */
function moreOf(count) {
  if (count <= 0) return [];
  const text = `${format.count(count)} more: find them by their name`;
  return [el("option", { disabled: true, text })];
}
