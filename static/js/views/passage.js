/** The passage: text that a reader asks the network for, in a drawer beside the live curve. */

import * as api from "../api.js";
import { el, find, setText } from "../dom.js";
import * as format from "../format.js";
import { watchWords } from "../samples.js";
import { prose } from "./prose.js";
import { qualityWords } from "./writing.js";

const NARROW = matchMedia("(width < 860px)");
const COPIED_MS = 1600;
const SEEDS = 1_000_000; // few enough digits to be told to somebody

/**
 * @param {Object} store
 * @returns {{openAndWrite: () => void}}
 */
export function mountPassage(store) {
  const drawer = find("#passage");
  const form = find("#passage-form");
  // By name, since a collection of fields has a `length` of its own.
  const fields = Object.fromEntries(
    ["source", "length", "temperature", "seed", "prime"].map((name) => [
      name,
      form.elements.namedItem(name),
    ]),
  );
  const problem = find("#passage-problem");
  const host = find("#passage-text");
  const copy = find("#passage-copy");
  let passage = null;
  let request = null;
  let opener = null;

  const rollSeed = () => {
    fields.seed.value = String(crypto.getRandomValues(new Uint32Array(1))[0] % SEEDS);
  };

  function open() {
    if (drawer.open) return;
    opener = document.activeElement;
    // On a narrow screen the drawer is the whole page, and so it holds the focus too.
    if (NARROW.matches) {
      drawer.showModal();
    } else {
      drawer.show();
      setCovered(true);
    }
    find("#passage-title").focus();
  }

  /** What lies beneath the drawer can be neither seen nor reached with the keyboard. */
  function setCovered(covered) {
    for (const element of drawer.parentElement.children) {
      if (element !== drawer) element.inert = covered;
    }
  }

  async function write() {
    const { run } = store.get();
    if (!run) return;
    request?.abort();
    const mine = new AbortController();
    request = mine;
    drawer.setAttribute("aria-busy", "true");
    showProblem(null);
    try {
      const asked = {
        source: fields.source.value,
        length: Number(fields.length.value),
        temperature: Number(fields.temperature.value),
        prime: fields.prime.value,
        seed: fields.seed.value === "" ? null : Number(fields.seed.value),
      };
      const answer = await api.writePassage(run.id, asked, mine.signal);
      if (request === mine) show(answer, run);
    } catch (error) {
      if (error instanceof api.Problem) showProblem(error);
      else if (error.name !== "AbortError") throw error;
    } finally {
      if (request === mine) drawer.removeAttribute("aria-busy");
    }
  }

  function show(answer, run) {
    passage = answer;
    fields.seed.value = String(answer.seed);
    const marks = { invented: answer.invented, watched: watchWords(run) };
    const page = prose(answer.text, marks);
    host.replaceChildren(page);
    host.scrollTop = 0;
    find("#passage-quality").replaceChildren(...qualityWords(answer.quality));
    const { kind, update } = answer.source;
    const loss = answer.source.smooth_loss;
    setText(
      find("#passage-source"),
      `${kind} model, update ${format.count(update)}${
        loss === null || loss === undefined ? "" : `, smooth loss ${format.loss(loss)}`
      }`,
    );
    setText(find("#passage-unknown"), unknownSentence(answer.unknown_characters));
    for (const button of drawer.querySelectorAll("[data-needs-passage]")) button.disabled = false;
  }

  function showProblem(error) {
    const named = error?.fields.map(({ field, message }) => `${field}: ${message}`).join(" ");
    setText(problem, error ? named || error.message : "");
  }

  function download() {
    const address = URL.createObjectURL(new Blob([passage.text], { type: "text/plain;charset=utf-8" }));
    const name = `passage-${passage.source.update}-seed-${passage.seed}.txt`;
    const link = el("a", { href: address, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    URL.revokeObjectURL(address);
  }

  async function copyText() {
    try {
      await navigator.clipboard.writeText(passage.text);
    } catch {
      // Without a secure context there is no clipboard to write to: select it for the reader.
      getSelection().selectAllChildren(host);
      setText(find("span", copy), "Selected");
      return;
    }
    setText(find("span", copy), "Copied");
    setTimeout(() => setText(find("span", copy), "Copy"), COPIED_MS);
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    write();
  });
  find("#passage-roll").addEventListener("click", () => {
    rollSeed();
    write();
  });
  fields.temperature.addEventListener("input", () =>
    setText(find("#passage-temperature"), Number(fields.temperature.value).toFixed(2)),
  );
  fields.source.addEventListener("focus", () => fillSources(fields.source, store.get()));
  find("#passage-close").addEventListener("click", () => drawer.close());
  find("#passage-download").addEventListener("click", download);
  copy.addEventListener("click", copyText);
  drawer.addEventListener("close", () => {
    setCovered(false);
    if (opener?.isConnected) opener.focus();
  });
  drawer.addEventListener("keydown", (event) => {
    if (event.key === "Escape") drawer.close();
  });

  function openAndWrite() {
    if (!store.get().run) return;
    const first = !drawer.open;
    fillSources(fields.source, store.get());
    open();
    if (first) rollSeed();
    write();
  }

  find("#write").addEventListener("click", openAndWrite);
  store.watch(
    (state) => [state.runId],
    () => {
      // Another run is another network: its passage is not this one's.
      request?.abort();
      passage = null;
      host.replaceChildren();
      fields.source.replaceChildren();
      if (drawer.open) drawer.close();
    },
  );
  return { openAndWrite };
}

function fillSources(select, { checkpoints }) {
  const chosen = select.value || "best";
  const option = (value, text) => el("option", { value, text });
  select.replaceChildren(
    option("best", "best model"),
    option("latest", "latest model"),
    ...[...checkpoints]
      .reverse()
      .map(({ id, update }) => option(id, `checkpoint ${format.count(update)}`)),
  );
  select.value = chosen;
  if (!select.value) select.value = "best";
}

function unknownSentence(characters = []) {
  if (!characters.length) return "";
  const named = characters.map((character) => `“${character}”`).join(" ");
  return `Not in this text's alphabet, and so left out of the prime: ${named}`;
}
