/** The entry of the gradient check page: requests a check and shows the result. */

import * as api from "./net/api.js";
import { el, find, setText } from "./lib/dom.js";
import { LIMITS } from "./lib/limits.js";
import { worst } from "./gradients/relative-errors.js";
import { loadPlotly } from "./lib/plotly-loader.js";
import { toggleTheme } from "./lib/theme.js";
import { HeatMaps } from "./gradients/heatmaps.js";
import { showMethod } from "./gradients/method.js";
import { StepSizeChart } from "./gradients/step-size-chart.js";
import { checkableSizes } from "./gradients/run-sizes.js";
import { checkTable } from "./gradients/table-text.js";
import { networkText, showChecking, showNoVerdict, showVerdict } from "./gradients/verdict.js";
import { RunSelect } from "./run-lists/select.js";
import { parameterCount } from "./spec/run-spec.js";
import { mountTableCopy } from "./ui/copy.js";
import { FieldErrors } from "./ui/field-errors.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";
import { linkBack } from "./ui/back-link.js";

const NUMBERS = ["layers", "hidden_size", "sequence_length", "batch_size", "seed"];

const SLOW_MS = 300;

const EXPLANATIONS = {
  "":
    "Everything is computed in float64, from the same carried state, and nothing is clipped " +
    "before the comparison. In this way, a correct gradient agrees in more than ten digits.",
  clipping:
    "The gradient was clipped before the comparison, and a clipped gradient is no longer the " +
    "derivative of the loss. Only the clipped entries are wrong, so errors of 0.7 appear " +
    "beside perfect ones. Compare first and clip afterwards.",
  float32:
    "float32 has seven digits. When two nearly equal losses are subtracted, only two or three " +
    "of them remain, and the smallest gradients are lost: errors up to 1. Train in float32, " +
    "but check in float64.",
  state:
    "Each evaluation of the loss started from the hidden state that the previous one had left, " +
    "so the two losses belong to different functions. Restore the carried state before every " +
    "evaluation.",
};

const STEP_EXPLANATION =
  "The step of the central difference is not the best one. If it is too small, rounding errors " +
  "dominate; if it is too large, truncation errors do. The complex step does not have this " +
  "problem and stays accurate.";

const form = find("#check-form");
const result = find("#check-result");
const maps = new HeatMaps();
const steps = new StepSizeChart(loadPlotly(), check);
const errors = new FieldErrors(form);
const runSelect = find("#check-run");
const runOptions = new RunSelect(runSelect, "no run");
let runs = [];
let checked = null; // {found, wanted} of the table in view
let request = null;
let curveCell = null; // the cell whose curve is shown

/** The request that the form describes. */
function formRequest() {
  const fields = form.elements;
  const numbers = NUMBERS.filter((name) => fields[name].value !== "").map((name) => [
    name,
    Number(fields[name].value),
  ]);
  return {
    cell: fields.cell.value,
    ...Object.fromEntries(numbers),
    text: fields.text.value || null,
    mistake: fields.mistake.value || null,
  };
}

async function check() {
  request?.abort();
  const controller = new AbortController();
  request = controller;
  const wanted = formRequest();
  const { step } = steps;
  saveToUrl(wanted);
  showMethod(wanted.cell);
  const stepAlone = step !== null && !wanted.mistake;
  setText(
    find("#check-explanation"),
    stepAlone ? STEP_EXPLANATION : EXPLANATIONS[wanted.mistake ?? ""],
  );
  result.setAttribute("aria-busy", "true");
  showProblem(null);
  // A result that comes soon replaces the last one without a flicker.
  const slow = setTimeout(() => {
    removeResult();
    showChecking(withDefaults(wanted));
  }, SLOW_MS);
  try {
    const found = await api.checkGradients({ ...wanted, step, details: true }, controller.signal);
    clearTimeout(slow);
    show(found, wanted, step);
    if (curveCell !== wanted.cell) {
      steps.showCurve(await api.errorAgainstStep({ cell: wanted.cell }, controller.signal));
      curveCell = wanted.cell;
    }
  } catch (error) {
    if (error instanceof api.Problem) refuse(error, wanted);
    else if (error.name !== "AbortError") throw error;
  } finally {
    clearTimeout(slow);
    if (request === controller) result.setAttribute("aria-busy", "false");
  }
}

/** No result: the last one belongs to another network, so it is removed. */
function refuse(problem, wanted) {
  removeResult();
  result.dataset.refused = "true";
  showNoVerdict(withDefaults(wanted));
  showProblem(problem);
}

function removeResult() {
  checked = null;
  delete result.dataset.passed;
}

/** A request with the defaults of the numbers that were left empty. */
const withDefaults = (wanted) => ({
  ...Object.fromEntries(NUMBERS.map((name) => [name, Number(form.elements[name].defaultValue)])),
  ...wanted,
});

function show(found, wanted, step) {
  checked = { found, wanted: withDefaults(wanted) };
  result.setAttribute("aria-busy", "false");
  result.dataset.passed = String(found.passed);
  delete result.dataset.refused;
  showVerdict(found, checked.wanted, wanted.mistake !== null || step !== null);
  maps.show(found);
  const central = worst(found.parameters.map(({ central_difference: error }) => error));
  steps.showCheck(central, found.thresholds.central_difference, step);
}

function showProblem(problem) {
  const { unplaced } = errors.show(problem?.fields ?? []);
  const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
  const placed = problem?.fields.length && !unplaced.length;
  setText(find("#check-problem"), problem && !placed ? named || problem.message : "");
}

// --- The URL contains the request, so that a check can be shared ---

function saveToUrl({ mistake, text, ...wanted }) {
  const query = new URLSearchParams(Object.entries(wanted).map(([k, v]) => [k, String(v)]));
  if (mistake) query.set("mistake", mistake);
  if (text) query.set("text", text);
  history.replaceState(null, "", `?${query}${location.hash}`);
}

function readFromUrl() {
  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = form.elements.namedItem(name);
    if (field) field.value = value;
  }
  // An invalid choice selects nothing; then the first one applies.
  for (const name of ["cell", "mistake"]) {
    const choices = [...form.elements.namedItem(name)];
    if (!choices.some(({ checked }) => checked)) choices[0].checked = true;
  }
}

// --- The network of a run ---

async function listRuns() {
  runs = (await api.nullOnProblem(api.listRuns())) ?? [];
  runOptions.show(runs, "");
  find("#check-run-field").hidden = !runs.length;
}

/** Fill in the cell, the sizes and the text of the selected run. */
async function takeRun() {
  const about = find("#check-run-about");
  const run = runs.find(({ id }) => id === runSelect.value);
  linkBack(run?.id);
  setText(about, "");
  if (!run) {
    form.elements.text.value = "";
    return;
  }
  const excerpt = await api.nullOnProblem(
    api.getText(run.corpus, 0, 2 * LIMITS.check_characters),
  );
  if (excerpt === null) {
    setText(about, "The text of this run cannot be read.");
    return;
  }
  const { sizes, text, reduced } = checkableSizes(run.spec, excerpt.text, parameterCount);
  for (const [name, value] of Object.entries(sizes)) form.elements[name].value = String(value);
  form.elements.text.value = text;
  const smaller = "Smaller than the run, so that every entry can be checked. ";
  const taken = "The parameters are random, the text is the beginning of the run's.";
  setText(about, `${reduced ? smaller : ""}${taken}`);
}

// --- The table for a report ---

mountTableCopy(() => checked && checkTable(checked.found, networkText(checked.wanted)));

form.addEventListener("change", async ({ target }) => {
  if (target === runSelect) await takeRun();
  check();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});
for (const input of document.querySelectorAll("#check-mistakes input")) {
  input.addEventListener("change", check);
}
mountShortcuts({ t: toggleTheme, w: () => find("nav a").click() });
mountThemeToggle();
mountLecture();
mountLesson();
linkBack();
readFromUrl();
listRuns();
check();
