/** The entry of the gradient check page: requests a check and shows the result. */

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
  setText(
    find("#check-explanation"),
    stepAlone ? STEP_EXPLANATION : EXPLANATIONS[wanted.mistake ?? ""],
  );
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

// --- The URL contains the request, so that a check can be shared ---

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
  // An invalid choice selects nothing; then the first one applies.
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
  const typing = document.activeElement?.closest("input:not([type=radio], [type=range])");
  if (event.key === "t" && !typing && !event.ctrlKey && !event.metaKey) toggleTheme();
});
mountThemeToggle();
mountBackLink();
readFromUrl();
check();
