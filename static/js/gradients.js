/** The page that proves the gradients: asks the server for a check and shows what it found. */

import * as api from "./net/api.js";
import { find, setText } from "./lib/dom.js";
import { worst } from "./gradients/relative-errors.js";
import { loadPlotly } from "./lib/plotly-loader.js";
import { toggleTheme } from "./lib/theme.js";
import { HeatMaps } from "./gradients/heatmaps.js";
import { StepSizeChart } from "./gradients/step-size-chart.js";
import { showVerdict } from "./gradients/verdict.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";
import { mountBackLink } from "./ui/back-link.js";

const NUMBERS = ["layers", "hidden_size", "sequence_length", "batch_size", "seed"];

const EXPLANATIONS = {
  "": "Everything is computed in float64, from the same carried state, and nothing is clipped before it is compared. So checked, a right gradient agrees in more than ten digits.",
  clipping:
    "The gradient was clipped before it was compared, and what is clipped is no longer the slope of the loss. Only the clipped entries are off, so that errors of 0.7 stand beside perfect ones: compare first, clip afterwards.",
  float32:
    "With seven digits, two losses that hardly differ keep but two or three of them when they are subtracted, and the smallest gradients drown: errors up to 1. Learn in float32, but check in float64.",
  state:
    "Each evaluation of the loss began from the hidden state that the one before it had left, so that the two losses which are compared are of different functions. Put the carried state back before every evaluation.",
};

const STEP_EXPLANATION =
  "The step of the central difference is not the best one. Too small, it leaves little but rounding; too large, the loss bends within it. The complex step has no such choice to make, and stays right.";

const form = find("#check-form");
const result = find("#check-result");
const maps = new HeatMaps();
const steps = new StepSizeChart(loadPlotly(), check);
let request = null;
let curveCell = null; // the cell whose curve is shown

/** What the form asks for. */
function formRequest() {
  const fields = form.elements;
  const numbers = NUMBERS.filter((name) => fields[name].value !== "").map((name) => [
    name,
    Number(fields[name].value),
  ]);
  return {
    cell: fields.cell.value,
    ...Object.fromEntries(numbers),
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
  const stepAlone = step !== null && !wanted.mistake;
  setText(find("#check-explanation"), stepAlone ? STEP_EXPLANATION : EXPLANATIONS[wanted.mistake ?? ""]);
  result.setAttribute("aria-busy", "true");
  showProblem(null);
  try {
    const found = await api.checkGradients({ ...wanted, step, details: true }, controller.signal);
    show(found, wanted.mistake, step);
    if (curveCell !== wanted.cell) {
      steps.showCurve(await api.errorAgainstStep({ cell: wanted.cell }, controller.signal));
      curveCell = wanted.cell;
    }
  } catch (error) {
    if (error instanceof api.Problem) showProblem(error);
    else if (error.name !== "AbortError") throw error;
  } finally {
    if (request === controller) result.setAttribute("aria-busy", "false");
  }
}

function show(found, mistake, step) {
  result.setAttribute("aria-busy", "false");
  result.dataset.passed = String(found.passed);
  showVerdict(found, mistake !== null || step !== null);
  maps.show(found);
  const central = worst(found.parameters.map(({ central_difference: error }) => error));
  steps.showCheck(central, found.thresholds.central_difference, step);
}

function showProblem(problem) {
  for (const slot of form.querySelectorAll(".field-error")) setText(slot, "");
  const unplaced = (problem?.fields ?? []).filter(({ field, message }) => {
    const slot = form.querySelector(`#error-${CSS.escape(field.split(".").at(-1))}`);
    if (slot) setText(slot, message);
    return !slot;
  });
  const named = unplaced.map(({ field, message }) => `${field}: ${message}`).join(" ");
  const placed = problem?.fields.length && !unplaced.length;
  setText(find("#check-problem"), problem && !placed ? named || problem.message : "");
}

// --- The address holds what was asked for, so that a proof can be handed on ---

function saveToUrl({ mistake, ...wanted }) {
  const query = new URLSearchParams(Object.entries(wanted).map(([k, v]) => [k, String(v)]));
  if (mistake) query.set("mistake", mistake);
  history.replaceState(null, "", `?${query}${location.hash}`);
}

function readFromUrl() {
  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = form.elements.namedItem(name);
    if (field) field.value = value;
  }
  // A choice that does not exist leaves none chosen: the first one then holds.
  for (const name of ["cell", "mistake"]) {
    const choices = [...form.elements.namedItem(name)];
    if (!choices.some(({ checked }) => checked)) choices[0].checked = true;
  }
}

form.addEventListener("change", check);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  check();
});
for (const input of document.querySelectorAll("#check-mistakes input")) {
  input.addEventListener("change", check);
}
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input:not([type=radio], [type=range])");
  if (event.key === "t" && !typing && !event.ctrlKey && !event.metaKey) toggleTheme();
});
mountThemeToggle();
mountBackLink();
readFromUrl();
check();
