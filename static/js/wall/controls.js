/** The controls of the wall: search, filters, order, size, full screen; and what is shown. */

import { el, find, radios, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";

/** @typedef {{value: string, text: string}} Option */

/**
 * @param {Store<WallState>} store
 * @param {() => Promise<Record<string, string>>} sweepNames by id.
 */
export function mountWallControls(store, sweepNames) {
  /** @type {Record<string, string>} */
  let names = {};
  const inputs = {
    text: find("#wall-search"),
    filter: find("#wall-filter"),
    sort: find("#wall-sort"),
    cell: find("#wall-cell"),
    corpus: find("#wall-corpus"),
    set: find("#wall-set"),
  };
  for (const [key, input] of Object.entries(inputs)) {
    input.addEventListener("input", () => {
      store.dispatch({ type: "choose", values: { [key]: input.value } });
    });
  }
  for (const radio of radios("wall-size")) {
    radio.addEventListener("change", () => store.dispatch({ type: "size", size: radio.value }));
  }
  store.watch(
    ({ size }) => [size],
    (size) => {
      find("#wall-grid").dataset.size = size;
      for (const radio of radios("wall-size")) radio.checked = radio.value === size;
    },
  );
  store.watch(
    ({ text, filter, sort }) => [text, filter, sort],
    (text, filter, sort) => {
      if (inputs.text.value !== text) inputs.text.value = text;
      [inputs.filter.value, inputs.sort.value] = [filter, sort];
    },
  );

  /** The options of the filters are those of the runs that there are. */
  function fillFilters() {
    const { runs, cell, corpus, set } = store.get();
    const all = Object.values(runs ?? {});
    const cells = [...new Set(all.map(({ spec }) => spec.cell))].map(named);
    const corpora = [...new Set(all.map(({ corpus_name: name }) => name))].map(named);
    fill(inputs.cell, "any cell", cells, cell);
    fill(inputs.corpus, "any text", corpora, corpus);
    const groups = new Map(all.flatMap(({ group }) => (group ? [[group.id, group.name]] : [])));
    const sweeps = [...new Set(all.flatMap(({ sweep }) => sweep ?? []))];
    const sets = [
      ...[...groups].map(([id, name]) => ({ value: `group:${id}`, text: `group ${name}` })),
      ...sweeps.map((id) => ({ value: `sweep:${id}`, text: `sweep ${names[id] ?? id}` })),
    ];
    fill(inputs.set, "any group or sweep", sets, set);
  }

  let asked = "";
  store.watch(
    ({ runs, order, cell, corpus, set }) => [runs === null, order, cell, corpus, set],
    async () => {
      fillFilters();
      const sweeps = Object.values(store.get().runs ?? {}).map(({ sweep }) => sweep);
      const now = [...new Set(sweeps)].filter(Boolean).join();
      if (!now || now === asked) return;
      asked = now;
      names = await sweepNames();
      fillFilters();
    },
  );
  store.watch(
    ({ runs, order, range }) => [runs && Object.keys(runs).length, order.length, range],
    (all, count, range) => {
      const [low, high] = range.map(format.plain);
      const some = count === all ? "" : `${format.count(count)} of `;
      const runs = format.plural(all ?? 0, "run", "runs");
      setText(find("#wall-count"), all === null ? "" : `${some}${runs}.`);
      const charts = `Charts: smooth loss, ${low} to ${high} nats per character.`;
      setText(find("#wall-range"), count ? charts : "");
      const none = find("#wall-none");
      none.hidden = count > 0;
      if (all === null) return;
      const watch = el("a", { href: rooted("/"), text: "Watch page" });
      const start = ["No runs yet. Start one on the ", watch, "."];
      none.replaceChildren(...(all === 0 ? start : ["No run matches."]));
    },
  );
}

const named = (/** @type {string} */ value) => ({ value, text: value });

/**
 * Fill a filter; it is hidden if there is nothing to choose from.
 *
 * @param {HTMLSelectElement} select
 * @param {string} any
 * @param {Option[]} options
 * @param {string} value
 */
function fill(select, any, options, value) {
  const sorted = options.toSorted((a, b) =>
    a.text.localeCompare(b.text, undefined, { numeric: true }),
  );
  // A link may name what is not there any more.
  if (value && !sorted.some((each) => each.value === value)) sorted.push(named(value));
  const all = [{ value: "", text: any }, ...sorted];
  const text = JSON.stringify(all);
  if (select.dataset.options !== text) {
    select.dataset.options = text;
    select.replaceChildren(...all.map((each) => el("option", each)));
  }
  select.value = value;
  select.hidden = !value && (sorted.length < 2) && select.id !== "wall-set" ? true : !sorted.length;
}

/** A button, and a function, that show an element on the whole screen or leave it. */
export function mountFullScreen() {
  const button = find("#wall-full");
  const wall = find("#wall");
  button.hidden = !document.fullscreenEnabled;
  const toggle = () =>
    document.fullscreenElement ? document.exitFullscreen() : wall.requestFullscreen();
  button.addEventListener("click", toggle);
  document.addEventListener("fullscreenchange", () => {
    setText(button, document.fullscreenElement ? "Leave full screen" : "Full screen");
  });
  return () => {
    if (document.fullscreenEnabled) toggle();
  };
}
