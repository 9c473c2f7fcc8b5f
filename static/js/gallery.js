/** The entry of the gallery: saved passages, newest first. */

import * as api from "./net/api.js";
import { el, find, rooted, setChildren, setText } from "./lib/dom.js";
import * as format from "./lib/format.js";
import { LIMITS } from "./lib/limits.js";
import { firstWords, PassageCard } from "./passage/saved-passage.js";
import { toggleTheme } from "./lib/theme.js";
import { mountLesson } from "./lesson/lesson.js";
import { mountShortcuts } from "./ui/shortcuts.js";
import { mountLecture } from "./lecture/lecture.js";
import { mountThemeToggle } from "./ui/theme-toggle.js";
import { toast, UNDO_MS } from "./ui/toasts.js";
import { linkBack } from "./ui/back-link.js";

const REFRESH_MS = 8000;
const PASSAGES_PER_REQUEST = 20;

const operator = document.body.dataset.operator === "true";
const gallery = find("#gallery");
const list = find("#gallery-passages");
const chooser = find("#gallery-run");

/** What the URL asks for: one passage, or those of a run. */
const params = new URLSearchParams(location.search);
const onlyId = params.get("passage");

let run = params.get("run") ?? "";
let saved = []; // newest first
let runs = [];
let next = null; // older passages are requested before this one
let total = 0;
const shown = new Map(); // id -> PassageCard
const pendingDelete = new Set(); // ids whose deletion can still be undone

const actions = {
  async rename(id, title) {
    await showingProblem(async () => {
      const renamed = await api.renameSavedPassage(id, title);
      saved = saved.map((each) => (each.id === id ? renamed : each));
    });
    show();
  },

  /** Nothing is deleted on the server until the time to undo is over. */
  remove(id, name) {
    pendingDelete.add(id);
    show();
    find("#main").focus();
    toast(`“${name}” was deleted.`, {
      label: "Undo",
      lastsMs: UNDO_MS,
      run() {
        pendingDelete.delete(id);
        show();
        shown.get(id)?.element.scrollIntoView({ block: "center" });
      },
      async onClose() {
        await showingProblem(() => api.deleteSavedPassage(id));
        await refresh();
        pendingDelete.delete(id);
      },
    });
  },
};

/** Run a task; show a refusal of the server as a toast, unless the passage is already gone. */
async function showingProblem(task) {
  try {
    await task();
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    if (error.status !== 404) toast(error.message);
  }
}

// --- Data from the server ---

async function load(before = null) {
  if (onlyId) {
    const [one, all] = await Promise.all([
      api.getSavedPassage(onlyId),
      api.listSavedPassages({ limit: 1 }),
    ]);
    return { ...all, passages: [one], next: null };
  }
  const count = Math.min(Math.max(saved.length, PASSAGES_PER_REQUEST), LIMITS.saved_passages);
  return api.listSavedPassages({ run, before, limit: before ? PASSAGES_PER_REQUEST : count });
}

/** Fetch the newest passages; older ones that were loaded stay. */
async function refresh() {
  try {
    const answer = await load();
    const oldest = answer.passages.at(-1)?.id;
    const known = saved.findIndex(({ id }) => id === oldest);
    const older = answer.next && known >= 0 ? saved.slice(known + 1) : [];
    saved = [...answer.passages, ...older];
    if (!older.length) ({ next } = answer);
    ({ runs, total } = answer);
    showProblem(null);
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    showProblem(error);
    return;
  }
  show();
}

async function loadOlder() {
  await showingProblem(async () => {
    const answer = await load(next);
    saved = [...saved, ...answer.passages];
    ({ next } = answer);
  });
  show();
}

function showProblem(error) {
  const gone = error?.status === 404;
  setText(
    find("#gallery-problem"),
    gone ? "The passage in the URL does not exist." : (error?.message ?? ""),
  );
  find("#gallery-waiting").hidden = true;
  if (gone) {
    saved = [];
    list.replaceChildren();
    find("#gallery-only").hidden = false;
  }
}

// --- Rendering ---

function show() {
  const now = saved.filter(({ id }) => !pendingDelete.has(id));
  const empty = !now.length && !onlyId;
  gallery.dataset.state = empty && total - pendingDelete.size <= 0 ? "empty" : "full";
  find("#gallery-waiting").hidden = true;
  find("#gallery-empty").hidden = gallery.dataset.state !== "empty";
  find("#gallery-more").hidden = !next;
  find("#gallery-only").hidden = !onlyId;
  setText(find("#gallery-total"), format.count(total));
  showCards(now);
  showContents(now);
  showRuns();
}

/** Keep existing elements, so that expanded passages and the focus stay as they are. */
function showCards(now) {
  const ids = new Set(now.map(({ id }) => id));
  for (const [id, card] of shown) {
    if (ids.has(id)) continue;
    shown.delete(id);
  }
  const words = new Map(runs.map(({ id, watch_words: watched }) => [id, watched]));
  const elements = now.map((passage) => {
    const card = shown.get(passage.id) ?? new PassageCard(passage.id, { operator, ...actions });
    shown.set(passage.id, card);
    card.show(passage, words.get(passage.run) ?? []);
    return card.element;
  });
  setChildren(list, elements);
}

function showContents(now) {
  const entries = now.map((passage) => {
    const about = `${passage.run_name}, update ${format.count(passage.passages[0].source.update)}`;
    return el(
      "li",
      {},
      el(
        "a",
        { href: `#passage-${passage.id}` },
        el("span", { text: passage.title ?? firstWords(passage) }),
        el("small", { text: about }),
      ),
    );
  });
  const list = find("#gallery-contents");
  if (list.contains(document.activeElement) && list.children.length === entries.length) return;
  list.replaceChildren(...entries);
}

function showRuns() {
  const option = (value, text) => el("option", { value, text });
  const named = runs.map(({ id, name, passages: count }) =>
    option(id, `${name} (${format.count(count)})`),
  );
  const options = [option("", `all networks (${format.count(total)})`), ...named];
  const signature = (all) => [...all].map(({ value, text }) => `${value} ${text}`).join("\n");
  if (signature(chooser.options) !== signature(options)) chooser.replaceChildren(...options);
  chooser.value = run;
  if (chooser.value !== run) chooser.value = "";
  linkBack(chooser.value);
  for (const form of ["txt", "md"]) {
    find(`#gallery-${form}`).href = api.savedPassagesFile(form, run);
  }
}

chooser.addEventListener("change", () => {
  run = chooser.value;
  linkBack(run);
  const query = run ? `?${new URLSearchParams({ run })}` : "";
  if (onlyId) {
    location.assign(rooted(`/passages${query}${location.hash}`));
    return;
  }
  history.replaceState(null, "", rooted(`/passages${query}${location.hash}`));
  saved = [];
  refresh();
});
find("#gallery-more").addEventListener("click", loadOlder);
find("#gallery-print").addEventListener("click", () => window.print());
mountShortcuts({ t: toggleTheme, w: () => find("nav a").click() });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
});
setInterval(() => {
  if (document.visibilityState === "visible") refresh();
}, REFRESH_MS);
mountThemeToggle();
mountLecture();
mountLesson();
linkBack();
refresh();
