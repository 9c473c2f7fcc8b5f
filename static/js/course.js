/** The entry of "Check my gradients": gives a problem, and shows the answer to a file. */

import * as api from "./net/api.js";
import { AnswerView } from "./course/answer-view.js";
import { answerTable } from "./course/answer-text.js";
import { readNpz } from "./course/npz.js";
import { problemText } from "./course/problem.js";
import { mountCodeCopy, showNoProblem, showProblem } from "./course/problem-view.js";
import { find, setText } from "./lib/dom.js";
import { toggleTheme } from "./lib/theme.js";
import { download } from "./net/download.js";
import { linkBack } from "./ui/back-link.js";
import { mountTableCopy } from "./ui/copy.js";
import { FieldErrors } from "./ui/field-errors.js";
import { onFileChosen, onFileDropped } from "./ui/file-drop.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";

const form = find("#problem-form");
const chooser = find("#answer-file");
const errors = new FieldErrors(form);
const view = new AnswerView();

/** @type {{query: ProblemQuery, file: Blob} | null} the problem on the page. */
let problem = null;
/** @type {{address: string, done: Promise<void>, request: AbortController} | null} */
let loading = null;
/** @type {AbortController | null} of the file that is being checked. */
let checking = null;
/** @type {Answer | null} to the last file for this problem, even if another was refused. */
let last = null;
/** @type {{answer: Answer, about: string} | null} the answer on the page. */
let shown = null;

// --- The problem ---

/** The problem that the form describes; an empty field has its default. @returns {ProblemQuery} */
function formQuery() {
  const query = { cell: form.elements.cell.value };
  for (const { name, value, defaultValue } of form.querySelectorAll("input[type=number]")) {
    query[name] = value === "" ? defaultValue : value;
  }
  return query;
}

const addressOf = (query) => `?${new URLSearchParams(query)}`;

/** Load the problem of the form, unless that was done. The answer to another one is removed. */
function loadProblem() {
  const query = formQuery();
  const address = addressOf(query);
  if (loading?.address === address) return loading.done;
  loading?.request.abort();
  checking?.abort();
  const request = new AbortController();
  history.replaceState(null, "", address + location.hash);
  problem = null;
  last = null;
  shown = null;
  view.clear();
  showRefusal("#answer-problem", null);
  loading = { address, request, done: receiveProblem(query, request.signal) };
  return loading.done;
}

async function receiveProblem(query, signal) {
  try {
    const file = await api.getProblem(query, signal);
    const arrays = await readNpz(await file.arrayBuffer());
    if (signal.aborted) return;
    showProblem(arrays, query.cell);
    problem = { query, file };
    showRefusal("#problem-problem", null);
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof api.Problem)) throw error;
    loading = null; // pressing the button tries again
    showNoProblem();
    showRefusal("#problem-problem", error);
  }
}

/** Show why a request was refused, at the fields that it concerns or in the element. */
function showRefusal(element, refusal) {
  const { unplaced } = errors.show(refusal?.fields ?? []);
  const named = unplaced.map(({ message }) => message).join(" ");
  const placed = refusal?.fields.length && !unplaced.length;
  setText(find(element), refusal && !placed ? named || refusal.message : "");
}

function readFromUrl() {
  for (const [name, value] of new URLSearchParams(location.search)) {
    const field = form.elements.namedItem(name);
    if (field) field.value = value;
  }
  const cells = [...form.elements.cell];
  // An invalid choice selects nothing; then the first one applies.
  if (!cells.some(({ checked }) => checked)) cells[0].checked = true;
}

form.addEventListener("change", loadProblem);
form.addEventListener("submit", async (event) => {
  event.preventDefault();
  await loadProblem();
  if (problem) download(problem.file, "problem.npz");
});

// --- The answer ---

async function check(file) {
  checking?.abort();
  const request = new AbortController();
  checking = request;
  const query = formQuery();
  view.busy = true;
  showRefusal("#answer-problem", null);
  try {
    const answer = await api.checkAnswer(query, file, request.signal);
    const about = problemText(query);
    view.show(answer, last, `${file.name}: ${about}`);
    last = answer;
    shown = { answer, about };
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof api.Problem)) throw error;
    shown = null;
    view.clear();
    showRefusal("#answer-problem", error);
  } finally {
    if (checking === request) view.busy = false;
  }
}

onFileChosen(chooser, check);
find("#answer-choose").addEventListener("click", () => chooser.click());
onFileDropped(find("#answer-drop"), {
  wanted: () => true,
  accepts: () => true,
  drop: check,
  refuse: (files) => setText(find("#answer-problem"), `Drop one file, not ${files}.`),
});

mountTableCopy(() => shown && answerTable(shown.answer, shown.about));

mountShortcuts({ t: toggleTheme, o: () => chooser.click(), w: () => find("nav a").click() });
mountThemeToggle();
mountLecture();
mountLesson();
linkBack();
mountCodeCopy();
readFromUrl();
loadProblem();
