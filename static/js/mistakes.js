/** The entry of "Mistakes": trains a network with a mistake beside the right one. */

import * as api from "./net/api.js";
import { MistakesList } from "./course/mistakes-list.js";
import { TrainingView } from "./course/training-view.js";
import { el, find, setText } from "./lib/dom.js";
import { loadPlotly } from "./lib/plotly-loader.js";
import { toggleTheme } from "./lib/theme.js";
import { linkBack } from "./ui/back-link.js";
import { FieldErrors } from "./ui/field-errors.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";

const form = find("#training-form");
const start = find("#training-start");
const stop = find("#training-stop");
const errors = new FieldErrors(form);
const list = new MistakesList();
const view = new TrainingView(loadPlotly());
/** @type {AbortController | null} */
let request = null;

const numberFields = () => [...form.querySelectorAll("input[type=number]")];

/** What the form describes; an empty field has its default. */
function formRequest() {
  const { cell, mistake, corpus } = form.elements;
  const numbers = numberFields().map(({ name, value, defaultValue }) => [
    name,
    Number(value === "" ? defaultValue : value),
  ]);
  return {
    ...Object.fromEntries(numbers),
    cell: cell.value,
    mistake: mistake.value,
    corpus: corpus.value || null,
  };
}

/** An empty or a wrong number of layers is taken as one. */
const layers = () => Math.max(1, Number(form.elements.layers.value) || 1);

const showMistakes = (/** @type {string | null | undefined} */ wanted = undefined) =>
  list.show(form.elements.cell.value, layers(), wanted);

async function train() {
  request?.abort();
  const controller = new AbortController();
  request = controller;
  const wanted = formRequest();
  saveToUrl(wanted);
  showProblem(null);
  stop.disabled = false;
  view.begin(wanted.updates);
  try {
    const current = (/** @type {(part: any) => void} */ show) => (/** @type {any} */ part) => {
      if (request === controller) show(part);
    };
    const result = await api.trainMistake(
      wanted,
      current((part) => view.add(part)),
      current((sample) => view.addSample(sample)),
      controller.signal,
    );
    if (request === controller) view.finish(result);
  } catch (error) {
    if (request !== controller) return;
    if (error instanceof api.Problem) showProblem(error);
    else if (error.name !== "AbortError") throw error;
    view.stop();
  } finally {
    if (request === controller) {
      request = null;
      stop.disabled = true;
    }
  }
}

function stopTraining() {
  const focused = document.activeElement === stop;
  request?.abort();
  if (focused) start.focus(); // a disabled button loses the focus
}

function showProblem(problem) {
  const { unplaced } = errors.show(problem?.fields ?? []);
  const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
  const placed = problem?.fields.length && !unplaced.length;
  setText(find("#training-problem"), problem && !placed ? named || problem.message : "");
}

async function listCorpora() {
  const corpora = (await api.nullOnProblem(api.listCorpora())) ?? [];
  const wanted = new URLSearchParams(location.search).get("corpus");
  const select = form.elements.corpus;
  select.append(...corpora.map(({ id, name }) => el("option", { value: id, text: name })));
  const shipped = corpora.find((each) => each.shipped);
  select.value = corpora.some(({ id }) => id === wanted) ? wanted : (shipped?.id ?? "");
}

// --- The URL contains the request, so that a training can be shared ---

function saveToUrl({ corpus, ...wanted }) {
  const query = new URLSearchParams(Object.entries(wanted).map(([k, v]) => [k, String(v)]));
  if (corpus) query.set("corpus", corpus);
  history.replaceState(null, "", `?${query}${location.hash}`);
}

function readFromUrl() {
  const query = new URLSearchParams(location.search);
  for (const field of numberFields()) {
    const value = query.get(field.name);
    if (value !== null) field.value = value;
  }
  const cell = [...form.elements.cell].find(({ value }) => value === query.get("cell"));
  if (cell) cell.checked = true;
  showMistakes(query.get("mistake"));
}

form.addEventListener("change", ({ target }) => {
  if (target.name === "mistake") list.choose(form.elements.cell.value);
  else if (target.name === "cell" || target.name === "layers") showMistakes();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  train();
});
stop.addEventListener("click", stopTraining);
mountShortcuts({
  t: toggleTheme,
  r: () => (request ? stopTraining() : train()),
  w: () => find("nav a").click(),
});
mountThemeToggle();
mountLecture();
mountLesson();
linkBack();
readFromUrl();
listCorpora();
