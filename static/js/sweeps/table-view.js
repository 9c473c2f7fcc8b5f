/** The table of the configurations of a sweep. */

import { el, find, rooted, setChildren, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { configurationsOf } from "./configurations.js";
import { axesOf, colourClass, GOAL, numbersWithin, listedConfigurations } from "./reducers.js";
import {
  configurationState,
  goalLabel,
  parameterLabel,
  stageClass,
  valueText,
  valueWithDeviation,
  watchUrl,
} from "./words.js";

const COMPARED = 4;
const PAGE_ROWS = 100;
const FOLLOW_MS = 100;

/**
 * @typedef {Object} Column
 * @property {string} key
 * @property {string} label
 * @property {(configuration: Configuration) => string} text
 * @property {boolean} figure aligned to the right.
 */

/** @typedef {{item: any, cells: any[], link: any, seeds: any, shown: string}} Row */

export class ConfigurationTable {
  #store;
  #head = find("#sweep-head");
  #body = find("#sweep-body");
  #host = find("#sweep-table");
  /** @type {Map<number, Row>} */
  #rows = new Map(); // by configuration
  /** @type {Column[]} */
  #columns = [];
  #limit = PAGE_ROWS;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {any} */
  #pointed = null; // the row
  /** Whether the rows keep their order, since the user points at one of them. */
  #held = false;

  /** @param {SweepsStore} store */
  constructor(store) {
    this.#store = store;
    store.watch(
      ({ sweep }) => [sweep],
      () => this.#show(this.#held),
    );
    store.watch(
      ({ sort }) => [sort],
      () => this.#show(false),
    );
    // While an axis is dragged, the rows follow a few times a second.
    store.watch(
      ({ filters }) => [filters],
      () => {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.#show(false);
        }, FOLLOW_MS);
      },
    );
    store.watch(
      ({ pointed }) => [pointed],
      () => this.#showPointed(),
    );
    const hold = () => (this.#held = true);
    const release = () => {
      this.#held = this.#body.matches(":hover, :focus-within");
      if (!this.#held) this.#show(false);
    };
    this.#body.addEventListener("pointerenter", hold);
    this.#body.addEventListener("focusin", hold);
    this.#body.addEventListener("pointerleave", () => {
      store.dispatch({ type: "point", number: null });
      release();
    });
    this.#body.addEventListener("focusout", () => setTimeout(release));
    this.#body.addEventListener("pointerover", (/** @type {any} */ { target }) => {
      const row = target.closest("tr");
      store.dispatch({ type: "point", number: row ? Number(row.dataset.number) : null });
    });
    find("#sweep-more").addEventListener("click", () => {
      this.#limit += PAGE_ROWS;
      this.#show(false);
    });
    find("#sweep-show-all").addEventListener("click", () => store.dispatch({ type: "showAll" }));
  }

  /** @param {boolean} inPlace whether the rows keep their order. */
  #show(inPlace) {
    const state = this.#store.get();
    const { sweep, sort } = state;
    if (!sweep) return;
    if (!this.#columns.length) this.#buildHead(sweep);
    for (const head of this.#head.children) {
      const order = sort.descending ? "descending" : "ascending";
      if (head.dataset.column === sort.by) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    }
    const listed = listedConfigurations(state);
    const axes = axesOf(sweep);
    const rows = listed.slice(0, this.#limit);
    const items = rows.map((configuration) => this.#showRow(configuration, axes));
    const more = find("#sweep-more");
    more.hidden = rows.length === listed.length;
    setText(more, `Show ${Math.min(listed.length - rows.length, PAGE_ROWS)} more`);
    if (inPlace) this.#body.append(...items.filter((item) => !item.isConnected));
    else setChildren(this.#body, items);
    this.#showCounts(sweep, listed);
  }

  /**
   * @param {Sweep} sweep
   * @param {Configuration[]} listed
   */
  #showCounts(sweep, listed) {
    const all = configurationsOf(sweep).length;
    const within = numbersWithin(this.#store.get()).size;
    const filtered = Object.keys(this.#store.get().filters).length > 0;
    find("#sweep-show-all").hidden = !filtered;
    setText(
      find("#sweep-count"),
      filtered
        ? `${format.count(within)} of ${format.plural(all, "configuration", "configurations")}`
        : format.plural(all, "configuration", "configurations"),
    );
    find("#sweep-none").hidden = listed.length > 0;
    setText(
      find("#sweep-none"),
      all ? "No configuration is within the selected ranges." : "No run has started yet.",
    );
    this.#host.hidden = listed.length === 0;
    const best = listed.filter(({ value, watch }) => value !== null && watch).slice(0, COMPARED);
    const compare = find("#sweep-compare");
    compare.hidden = best.length < 2;
    setText(compare, `Compare the first ${best.length}`);
    compare.href = rooted(`/compare?runs=${best.map(({ watch }) => watch).join(",")}`);
  }

  /** @param {Sweep} sweep */
  #buildHead(sweep) {
    this.#columns = columnsOf(sweep);
    this.#head.replaceChildren(
      ...this.#columns.map(({ key, label, figure }) =>
        el(
          "th",
          { scope: "col", "data-column": key, class: figure ? "figure-column" : null },
          el("button", { type: "button", text: label, on: { click: () => this.#sort(key) } }),
        ),
      ),
    );
  }

  /** @param {string} by */
  #sort(by) {
    const { sort } = this.#store.get();
    const descending = sort.by === by && !sort.descending;
    this.#store.dispatch({ type: "sort", sort: { by, descending } });
  }

  /**
   * @param {Configuration} configuration
   * @param {ReturnType<typeof axesOf>} axes
   * @returns {any} the row's element.
   */
  #showRow(configuration, axes) {
    const row = this.#rows.get(configuration.number) ?? this.#newRow(configuration);
    this.#rows.set(configuration.number, row);
    const texts = this.#columns.map(({ text }) => text(configuration));
    const name = `${colourClass(configuration, axes)}${stageClass(configuration)}`;
    const { watch, runs } = configuration;
    const shown = [name, watch, runs.length, ...texts].join("|");
    if (shown === row.shown) return row.item;
    row.shown = shown;
    texts.forEach((text, i) => i > 0 && setText(row.cells[i], text));
    row.item.className = name;
    setHref(row.link, watchUrl(watch));
    if (runs.length > 1) showSeeds(row.seeds, configuration);
    return row.item;
  }

  /** @param {Configuration} configuration */
  #newRow({ number }) {
    const link = el("a", { class: "sweep-run", text: `Run ${number}`, title: "Watch this run" });
    const seeds = el("small", { class: "sweep-seeds" });
    const swatch = el("span", { class: "goal-swatch", "aria-hidden": "true" });
    const head = el("th", { scope: "row" }, swatch, link, seeds);
    const cells = this.#columns.map(({ figure }, i) =>
      i === 0 ? head : el("td", { class: figure ? "figure-column" : null }),
    );
    return { item: el("tr", { "data-number": number }, ...cells), cells, link, seeds, shown: "" };
  }

  #showPointed() {
    const { pointed } = this.#store.get();
    this.#pointed?.removeAttribute("data-pointed");
    this.#pointed = this.#rows.get(pointed ?? 0)?.item ?? null;
    this.#pointed?.setAttribute("data-pointed", "");
  }
}

/**
 * @param {Element} link
 * @param {string | null} url null for a link that leads nowhere.
 */
function setHref(link, url) {
  if (url === null) link.removeAttribute("href");
  else link.setAttribute("href", url);
}

/**
 * Links to the runs of each seed.
 *
 * @param {any} host
 * @param {Configuration} configuration
 */
function showSeeds(host, { runs }) {
  const shown = runs.map(({ run, seed }) => `${run} ${seed}`).join();
  if (host.dataset.shown === shown) return;
  host.dataset.shown = shown;
  host.replaceChildren(
    "seeds ",
    ...runs.flatMap(({ run, seed }, i) => [
      ...(i ? [", "] : []),
      el("a", { href: watchUrl(run), text: String(seed) }),
    ]),
  );
}

/**
 * @param {Sweep} sweep
 * @returns {Column[]}
 */
function columnsOf(sweep) {
  /** @type {[string, SweepRange][]} */
  const ranges = Object.entries(sweep.spec.parameters);
  const updates = sweep.spec.seeds > 1 ? "updates per run" : "updates";
  return [
    { key: "number", label: "run", text: ({ number }) => String(number), figure: false },
    { key: GOAL, label: goalLabel(sweep), text: valueWithDeviation, figure: true },
    ...ranges.map(([name, { values }]) => ({
      key: name,
      label: parameterLabel(name),
      text: (/** @type {Configuration} */ { parameters }) => valueText(name, parameters[name]),
      figure: !values || values.some((value) => typeof value === "number"),
    })),
    { key: "update", label: updates, text: ({ update }) => format.count(update), figure: true },
    { key: "state", label: "state", text: configurationState, figure: false },
  ];
}
