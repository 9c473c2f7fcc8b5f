/** The gallery: the passages that are kept, as pages of a book, newest first. */

import * as api from "./net/api.js";
import { el, find, setText } from "./lib/dom.js";
import * as format from "./lib/format.js";
import { firstWords, Leaf } from "./passage/saved-passage.js";
import { toggleTheme } from "./lib/theme.js";
import { mountThemeButton } from "./ui/theme-toggle.js";
import { toast } from "./ui/toasts.js";
import { mountWayBack } from "./ui/back-link.js";

const REFRESH_MS = 8000;
const AT_ONCE = 20;
const MOST_AT_ONCE = 100;
const UNDO_MS = 10_000;

const operator = document.body.dataset.operator === "true";
const gallery = find("#gallery");
const leaves = find("#gallery-leaves");
const chooser = find("#gallery-run");

/** What the address asks for: one passage, or those of a run. */
const asked = new URLSearchParams(location.search);
const only = asked.get("passage");

let run = asked.get("run") ?? "";
let kept = []; // newest first
let runs = [];
let next = null; // what older ones are kept before
let total = 0;
const shown = new Map(); // id -> Leaf
const leaving = new Set(); // ids whose deletion can still be undone

const deeds = {
  async rename(id, title) {
    await saying(async () => {
      const renamed = await api.renameKept(id, title);
      kept = kept.map((each) => (each.id === id ? renamed : each));
    });
    show();
  },

  /** The deletion itself waits until it can no longer be undone. */
  remove(id, name) {
    leaving.add(id);
    show();
    find("#main").focus();
    toast(`“${name}” is taken out.`, {
      label: "Undo",
      lastsMs: UNDO_MS,
      run() {
        leaving.delete(id);
        show();
        shown.get(id)?.element.scrollIntoView({ block: "center" });
      },
      async onClose() {
        await saying(() => api.removeKept(id));
        await refresh();
        leaving.delete(id);
      },
    });
  },
};

/** Do it, and say the server's refusal if it refuses; that it is gone already is none. */
async function saying(deed) {
  try {
    await deed();
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    if (error.status !== 404) toast(error.message);
  }
}

// --- What there is ---

async function load(before = null) {
  if (only) {
    const [one, all] = await Promise.all([api.getKept(only), api.listKept({ limit: 1 })]);
    return { ...all, passages: [one], next: null };
  }
  const many = Math.min(Math.max(kept.length, AT_ONCE), MOST_AT_ONCE);
  return api.listKept({ run, before, limit: before ? AT_ONCE : many });
}

/** Ask what is there now; older ones that the reader has turned to stay. */
async function refresh() {
  try {
    const page = await load();
    const oldest = page.passages.at(-1)?.id;
    const known = kept.findIndex(({ id }) => id === oldest);
    const older = page.next && known >= 0 ? kept.slice(known + 1) : [];
    kept = [...page.passages, ...older];
    if (!older.length) ({ next } = page);
    ({ runs, total } = page);
    showProblem(null);
  } catch (error) {
    if (!(error instanceof api.Problem)) throw error;
    showProblem(error);
    return;
  }
  show();
}

async function turnToOlder() {
  await saying(async () => {
    const page = await load(next);
    kept = [...kept, ...page.passages];
    ({ next } = page);
  });
  show();
}

function showProblem(error) {
  const gone = error?.status === 404;
  setText(
    find("#gallery-problem"),
    gone ? "That passage is not kept (any more)." : (error?.message ?? ""),
  );
  find("#gallery-waiting").hidden = true;
  if (gone) {
    kept = [];
    leaves.replaceChildren();
    find("#gallery-only").hidden = false;
  }
}

// --- What is shown of it ---

function show() {
  const now = kept.filter(({ id }) => !leaving.has(id));
  const empty = !now.length && !only;
  gallery.dataset.state = empty && total - leaving.size <= 0 ? "empty" : "full";
  find("#gallery-waiting").hidden = true;
  find("#gallery-empty").hidden = gallery.dataset.state !== "empty";
  find("#gallery-more").hidden = !next;
  find("#gallery-only").hidden = !only;
  setText(find("#gallery-total"), format.count(total));
  showLeaves(now);
  showContents(now);
  showRuns();
}

/** Leaves stay the elements they were: what the reader has open or in focus is left alone. */
function showLeaves(now) {
  const ids = new Set(now.map(({ id }) => id));
  for (const [id, leaf] of shown) {
    if (ids.has(id)) continue;
    leaf.element.remove();
    shown.delete(id);
  }
  const words = new Map(runs.map(({ id, watch_words: watched }) => [id, watched]));
  now.forEach((passage, i) => {
    const leaf = shown.get(passage.id) ?? new Leaf(passage.id, { operator, ...deeds });
    shown.set(passage.id, leaf);
    leaf.show(passage, words.get(passage.run) ?? []);
    const there = leaves.children[i] ?? null;
    if (there !== leaf.element) leaves.insertBefore(leaf.element, there);
  });
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
  const named = runs.map(({ id, name, kept: many }) => option(id, `${name} (${format.count(many)})`));
  const options = [option("", `every network (${format.count(total)})`), ...named];
  const said = (all) => [...all].map(({ value, text }) => `${value} ${text}`).join("\n");
  if (said(chooser.options) !== said(options)) chooser.replaceChildren(...options);
  chooser.value = run;
  if (chooser.value !== run) chooser.value = "";
  for (const form of ["txt", "md"]) {
    const query = new URLSearchParams({ format: form, ...(run && { run }) });
    find(`#gallery-${form}`).href = `/api/kept/file?${query}`;
  }
}

chooser.addEventListener("change", () => {
  run = chooser.value;
  const query = run ? `?${new URLSearchParams({ run })}` : "";
  if (only) {
    location.assign(`/passages${query}`);
    return;
  }
  history.replaceState(null, "", `/passages${query}`);
  kept = [];
  refresh();
});
find("#gallery-more").addEventListener("click", turnToOlder);
find("#gallery-print").addEventListener("click", () => window.print());
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (typing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "t") toggleTheme();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") refresh();
});
setInterval(() => {
  if (document.visibilityState === "visible") refresh();
}, REFRESH_MS);
mountThemeButton();
mountWayBack();
refresh();
