/** The form that starts a game. */

import * as api from "../net/api.js";
import { el, find, rooted, setText } from "../lib/dom.js";
import { FieldErrors } from "../ui/field-errors.js";
import { RunSelect } from "../run-lists/select.js";
import { present } from "./session.js";

const FROM_VALIDATION =
  "Leave it empty for a random passage of the part of the text that the run is validated on.";
const NEEDED =
  "This run was trained on its whole text: paste a passage that it has not seen. It may use only" +
  " the characters of that text.";
const BEST = "The best model of this run plays.";
const UNTRAINED = "This network has made no update yet. It guesses at chance.";
const GUESSED = "The last characters are guessed, one in each round.";

export function mountSetup() {
  find("#guess-setup").hidden = false;
  if (document.body.dataset.operator === "true") new Setup();
}

class Setup {
  #form = find("#guess-form");
  #run = find("#guess-run");
  #start = find("#guess-start");
  #problem = find("#guess-form-problem");
  #errors = new FieldErrors(this.#form, "guess-");
  /** @type {Run[]} */
  #runs = [];

  constructor() {
    this.#run.addEventListener("change", () => this.#describe());
    this.#form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
      event.preventDefault();
      this.#submit();
    });
    this.#load();
  }

  async #load() {
    this.#runs = (await api.nullOnProblem(api.listRuns())) ?? [];
    const wanted = new URLSearchParams(location.search).get("run");
    const known = this.#runs.find(({ id }) => id === wanted) ?? this.#runs[0];
    new RunSelect(this.#run).show(this.#runs, known?.id ?? "");
    this.#start.disabled = !known;
    if (!known) {
      const watch = el("a", { href: rooted("/"), text: "Watch page" });
      this.#problem.replaceChildren("There is no run yet. Start one on the ", watch, ".");
    }
    this.#describe();
  }

  #describe() {
    const run = this.#runs.find(({ id }) => id === this.#run.value);
    const passage = run?.spec.validation_fraction ? FROM_VALIDATION : NEEDED;
    setText(find("#hint-guess-run"), run?.update === 0 ? UNTRAINED : BEST);
    setText(find("#hint-guess-passage"), run ? `${passage} ${GUESSED}` : "");
  }

  async #submit() {
    this.#errors.clear();
    setText(this.#problem, "");
    this.#start.setAttribute("aria-busy", "true");
    this.#start.disabled = true;
    try {
      const { run, mode, rounds, seconds, text } = this.#form.elements;
      const game = await api.startGame({
        run: run.value,
        mode: mode.value,
        // An empty field is not a number; JSON has null for it, and the server names the field.
        rounds: rounds.valueAsNumber,
        seconds: seconds.valueAsNumber,
        text: text.value.trim() ? text.value : null,
      });
      present(game.id, game.key);
      location.assign(rooted(`/guess?game=${game.id}`));
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      const { unplaced, first } = this.#errors.show(error.fields);
      if (unplaced.length || !first) setText(this.#problem, error.message);
      else first.focus();
    } finally {
      this.#start.removeAttribute("aria-busy");
      this.#start.disabled = false;
    }
  }
}
