/** The panel of the seeds of a run: its group, what the chart shows of it, and more seeds. */

import * as api from "../net/api.js";
import { el, find, radios, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { popover } from "../ui/popover.js";
import { toast } from "../ui/toasts.js";
import { membersOf, statesSentence } from "../run-lists/groups.js";

const REFRESH_MS = 3000;

export class SeedsPanel {
  #store;
  #currentRun;
  #button = find("#seeds-open");
  #panel;
  #form = find("#seeds-form");
  #problem = find("#seeds-problem");
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #timer;

  /**
   * @param {WatchStore} store
   * @param {any} currentRun see state/current-run.js.
   */
  constructor(store, currentRun) {
    this.#store = store;
    this.#currentRun = currentRun;
    this.#panel = popover(this.#button, find("#seeds-panel"), () => this.#opened());
    this.#form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.#add();
    });
    this.#form.addEventListener("input", () => setText(this.#problem, ""));
    const bands = radios("seeds");
    for (const input of bands) {
      input.addEventListener("change", () =>
        store.dispatch({ type: "axes", view: { seeds: input.value } }),
      );
    }
    store.watch(
      ({ seeds }) => [seeds],
      (seeds) => {
        for (const input of bands) input.checked = input.value === seeds;
      },
    );
    store.watch(
      ({ run, runs, runId, groupLoss, seeds }) => [
        ...[run?.group, runs, runId, groupLoss, seeds],
      ],
      () => this.#show(),
    );
  }

  #opened() {
    setText(this.#problem, "");
    this.#currentRun.refreshRuns();
    clearInterval(this.#timer);
    this.#timer = setInterval(() => {
      if (this.#panel.isOpen()) this.#currentRun.refreshRuns();
      else clearInterval(this.#timer);
    }, REFRESH_MS);
  }

  #show() {
    const { run, runs, runId, groupLoss, seeds } = this.#store.get();
    const members = run?.group ? membersOf(run.group.id, runs ?? []) : [];
    this.#button.disabled = !runId;
    this.#button.setAttribute("aria-pressed", String(run?.group != null && seeds !== "off"));
    find("#seeds-band").hidden = !members.length;
    setText(find("#seeds-about"), about(run, members));
    setText(find("#seeds-count"), countSentence(groupLoss));
    this.#showMembers(members, runId);
  }

  /**
   * Replace the list if anything in it has changed; a button that had the focus gets it again.
   *
   * @param {Run[]} members
   * @param {string | null} runId
   */
  #showMembers(members, runId) {
    const list = find("#seeds-members");
    const items = members.map((each) => this.#member(each, each.id === runId));
    const shown = [...list.children];
    const same =
      items.length === shown.length && items.every((each, i) => each.isEqualNode(shown[i]));
    if (same) return;
    const focused = [...list.children].findIndex((item) => item.contains(document.activeElement));
    list.replaceChildren(...items);
    if (focused >= 0) (items[focused] ?? items.at(-1))?.querySelector("button").focus();
  }

  /**
   * @param {Run} run
   * @param {boolean} current
   */
  #member(run, current) {
    const best = run.best ? `, best ${format.loss(run.best.smooth_loss)}` : "";
    return el(
      "li",
      {},
      el(
        "button",
        {
          type: "button",
          class: "button button-small button-plain seeds-member",
          "aria-current": current ? "true" : null,
          title: run.name,
          "data-run": run.id,
          on: { click: () => this.#currentRun.open(run.id) },
        },
        el("span", { class: "dot", "data-state": run.state }),
        el("span", { text: `seed ${run.spec.seed}` }),
        el("span", { class: "hint", text: `${format.stateLabel(run.state)}${best}` }),
      ),
    );
  }

  async #add() {
    const { runId, operator } = this.#store.get();
    if (!runId || !operator) return;
    const field = find("#seeds-more");
    const button = find("#seeds-add");
    setText(this.#problem, "");
    button.disabled = true;
    try {
      const { group, runs } = await api.addSeeds(runId, Number(field.value));
      await this.#currentRun.refreshRuns();
      toast(`“${group.name}” now has ${format.plural(group.runs.length, "seed", "seeds")}.`);
      for (const run of runs) if (run.id === runId) this.#store.dispatch({ type: "run", run });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(this.#problem, error.message);
    } finally {
      button.disabled = false;
    }
  }
}

/**
 * @param {Run | null} run
 * @param {Run[]} members
 */
function about(run, members) {
  if (!run?.group) {
    return (
      "The seed sets the first weights. Runs with the same settings and other seeds show how much" +
      " of the loss is chance."
    );
  }
  return `“${run.group.name}”: ${statesSentence(members)}.`;
}

/**
 * Of how many runs the end of the band is made.
 *
 * @param {GroupLoss | null} loss
 */
function countSentence(loss) {
  const [most, last] = [loss?.runs[0] ?? 0, loss?.runs.at(-1) ?? 0];
  if (!loss || most < 1) return "";
  const end = format.count(loss.update.at(-1) ?? 0);
  if (last === most) return `Mean and band of ${format.plural(most, "run", "runs")}.`;
  return (
    `At each update, mean and band are of the runs that have reached it: ${format.count(most)}` +
    ` at the start, ${format.count(last)} at update ${end}.`
  );
}
