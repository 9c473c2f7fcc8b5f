/** The differences between the groups in view, in sentences. */

import { getDifferences, nullOnProblem } from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import { differencesNote, differenceSentence } from "./difference-words.js";

const DEBOUNCE_MS = 300;

/**
 * What the sentences depend on.
 *
 * @typedef {Object} Compared
 * @property {{id: string, name: string, members: Run[]}[]} groups
 * @property {number} factor how many units a nat per character is.
 * @property {string} unit
 */

/**
 * @param {CompareStore} store
 * @param {(state: CompareState) => Compared} comparedOf
 */
export function mountVerdicts(store, comparedOf) {
  /** @type {Differences[]} */
  let found = [];
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  async function fetchAll() {
    const { groups } = comparedOf(store.get());
    const ids = groups.map(({ id }) => id);
    const losses = /** @type {Differences["loss"][]} */ ([
      "smooth_loss",
      ...(groups.every(({ members }) => members[0].spec.validation_fraction)
        ? ["validation_loss"]
        : []),
    ]);
    const answers =
      ids.length < 2
        ? []
        : await Promise.all(losses.map((loss) => nullOnProblem(getDifferences(ids, loss))));
    if (comparedOf(store.get()).groups.map(({ id }) => id).join() !== ids.join()) return;
    found = answers.filter((each) => each !== null);
    show();
  }

  function show() {
    const { groups, factor, unit } = comparedOf(store.get());
    const names = new Map(groups.map(({ id, name }) => [id, name]));
    const items = found.flatMap(({ loss, differences }) =>
      differences.flatMap((each) => {
        const named = each.groups.map((id) => names.get(id));
        if (!named.every((name) => name !== undefined)) return [];
        const { text, different } = differenceSentence(each, named, { factor, unit });
        const by = loss === "smooth_loss" ? "By smooth loss" : "By validation loss";
        const item = el("li", { text: found.length > 1 ? `${by}: ${text}` : text });
        item.dataset.different = String(different);
        return [item];
      }),
    );
    const list = find("#compare-verdict-list");
    const before = [...list.children].map(({ textContent }) => textContent);
    if (before.join("\n") !== items.map(({ textContent }) => textContent).join("\n")) {
      list.replaceChildren(...items);
    }
    find("#compare-verdicts").hidden = !items.length;
    const training = groups.some(({ members }) =>
      members.some(({ state }) => state === "running" || state === "queued"),
    );
    const count = found[0]?.differences.length ?? 0;
    setText(find("#compare-verdict-note"), differencesNote(count, training));
  }

  store.watch(
    (state) =>
      comparedOf(state).groups.map(({ id, members }) =>
        [id, ...members.map((run) => `${run.id} ${run.update} ${run.state}`)].join(),
      ),
    () => {
      clearTimeout(timer);
      timer = setTimeout(fetchAll, DEBOUNCE_MS);
    },
  );
  store.watch(
    (state) => [comparedOf(state).unit, comparedOf(state).factor],
    () => show(),
  );
}
