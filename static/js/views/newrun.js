/** The form for a new run, with a text of the reader's own by button or by dropping it. */

import * as api from "../api.js";
import { el, find, setText } from "../dom.js";
import * as format from "../format.js";

const WHOLE = ["hidden_size", "sequence_length", "seed", "max_updates", "sample_every"];

/**
 * @param {Object} store
 * @param {{created: (run: Object) => void}} on
 * @returns {{open: () => void, openWith: (file: File) => void}}
 */
export function mountNewRun(store, { created }) {
  const dialog = find("#new-run-dialog");
  const form = find("#new-run-form");
  const fields = form.elements;
  const start = find("#new-run-start");
  const problem = find("#new-run-problem");
  const drop = find("#drop");
  const file = find("#drop-file");
  const progress = find("#drop-progress");
  const uploadError = find("#error-corpus");

  async function open() {
    showErrors([]);
    setText(problem, "");
    if (!dialog.open) dialog.showModal();
    await loadCorpora();
  }

  async function loadCorpora(choose) {
    try {
      store.dispatch({ type: "corpora", corpora: await api.listCorpora() });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(problem, error.message);
    }
    const chosen = choose ?? fields.corpus.value;
    const corpora = Object.values(store.get().corpora);
    fields.corpus.replaceChildren(
      ...corpora.map(({ id, name }) => el("option", { value: id, text: name })),
    );
    if (chosen) fields.corpus.value = chosen;
    if (!fields.corpus.value && corpora.length) fields.corpus.value = corpora[0].id;
    describe();
  }

  function describe() {
    const corpus = store.get().corpora[fields.corpus.value];
    setText(
      find("#corpus-about"),
      corpus
        ? `${format.count(corpus.characters)} characters, ${format.count(corpus.distinct)} distinct`
        : "",
    );
    const hidden = Number(fields.hidden_size.value);
    setText(
      find("#parameter-count"),
      corpus && Number.isInteger(hidden) && hidden > 0
        ? `${format.count(parameters(hidden, corpus.distinct))} parameters to learn`
        : "",
    );
    fields.max_updates.disabled = fields.endless.checked;
  }

  async function upload(chosen) {
    setText(uploadError, "");
    progress.hidden = false;
    progress.value = 0;
    start.disabled = true;
    try {
      const corpus = await api.uploadCorpus(chosen, (share) => (progress.value = share));
      await loadCorpora(corpus.id);
      if (!fields.name.value) fields.name.value = corpus.name;
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      setText(uploadError, `${chosen.name}: ${error.message}`);
    } finally {
      progress.hidden = true;
      start.disabled = false;
      file.value = "";
    }
  }

  async function submit() {
    showErrors([]);
    setText(problem, "");
    start.disabled = true;
    try {
      const run = await api.createRun(specOf(fields));
      dialog.close();
      created(run);
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      const unplaced = showErrors(error.fields);
      if (unplaced.length || !error.fields.length) {
        const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
        setText(problem, named || error.message);
      }
    } finally {
      start.disabled = false;
    }
  }

  /** Put each message at its field; returns those whose field the form has not got. */
  function showErrors(errors) {
    for (const slot of form.querySelectorAll(".field-error")) setText(slot, "");
    let first = null;
    const unplaced = errors.filter(({ field, message }) => {
      const name = field.split(".").at(-1);
      const slot = form.querySelector(`#error-${CSS.escape(name)}`);
      if (!slot) return true;
      setText(slot, message);
      first ??= fields[name];
      return false;
    });
    first?.focus();
    return unplaced;
  }

  const dropped = (event) => event.dataTransfer?.files?.[0];
  const carriesFile = (event) => event.dataTransfer?.types.includes("Files");
  document.addEventListener("dragover", (event) => {
    if (!carriesFile(event) || !store.get().operator) return;
    event.preventDefault();
    if (!dialog.open) open();
    drop.dataset.over = "true";
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) delete drop.dataset.over;
  });
  document.addEventListener("drop", (event) => {
    delete drop.dataset.over;
    if (!carriesFile(event) || !store.get().operator) return;
    event.preventDefault();
    if (dropped(event)) upload(dropped(event));
  });

  find("#drop-choose").addEventListener("click", () => file.click());
  file.addEventListener("change", () => file.files[0] && upload(file.files[0]));
  form.addEventListener("input", describe);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    submit();
  });
  for (const button of dialog.querySelectorAll("[data-close]")) {
    button.addEventListener("click", () => dialog.close());
  }
  find("#new-run").addEventListener("click", open);

  return { open };
}

/** Parameters of a vanilla RNN of m units over K characters: W, U, V, b and c. */
export const parameters = (m, K) => m * m + 2 * m * K + m + K;

/** What the form asks for; an empty field leaves the choice to the server. */
function specOf(fields) {
  const spec = { corpus: fields.corpus.value };
  if (fields.name.value.trim()) spec.name = fields.name.value.trim();
  for (const name of [...WHOLE, "learning_rate"]) {
    if (fields[name].value !== "") spec[name] = Number(fields[name].value);
  }
  if (fields.endless.checked) spec.max_updates = null;
  spec.pace = Number(fields.pace.value) || fields.pace.value;
  return spec;
}
