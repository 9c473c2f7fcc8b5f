/** The actions for a finished passage: save, copy, download, share, translate. */

import * as api from "../net/api.js";
import { el, find, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { passageUrl } from "../state/passage-link.js";
import { toast } from "../ui/toasts.js";
import { TranslateMenu } from "./translate-menu.js";

const COPIED_MS = 1600;

export class PassageActions {
  #store;
  #drawer = find("#passage");
  #saveButton = find("#passage-save");
  #link = find("#passage-link");
  #result = null;
  #saving = null; // fingerprint of the passage being saved
  #menu;

  /** @param {WatchStore} store */
  constructor(store) {
    this.#store = store;
    this.#saveButton.addEventListener("click", () => this.save());
    find("#passage-copy").addEventListener("click", () => this.#copy());
    find("#passage-download").addEventListener("click", () => this.#download());
    find("#passage-share").addEventListener("click", () => this.#share());
    this.#menu = new TranslateMenu(() => this.#result?.passages[0].text ?? "");
  }

  /**
   * Set the passage that the actions apply to.
   *
   * @param {?{run: string, request: ?PassageRequest, passages: any[]}} result null: none; without a
   *   `request` a passage that was interrupted.
   */
  set(result) {
    this.#result = result;
    for (const button of this.#drawer.querySelectorAll("[data-needs-passage]")) {
      button.disabled =
        result === null || (button.dataset.needsPassage === "whole" && !result.request);
    }
    this.#link.hidden = true;
    this.#menu.close();
    this.#showSaved(false);
  }

  /** Save the passage in the gallery. */
  async save() {
    const { operator } = this.#store.get();
    if (!operator || !this.#result?.request || !this.#drawer.open) return;
    const { run, passages } = this.#result;
    const [{ fingerprint }] = passages;
    if (this.#saving === fingerprint) return;
    this.#saving = fingerprint;
    try {
      const saved = await api.savePassage(run, fingerprint);
      if (this.#result?.passages === passages) this.#showSaved(true);
      const words = saved.model_saved
        ? "Saved together with the model."
        : "Saved without the model, since there is not enough space.";
      const page = rooted(`/passages?passage=${saved.id}${location.hash}`);
      toast(words, { label: "Show", run: () => location.assign(page) });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    } finally {
      this.#saving = null;
    }
  }

  #showSaved(saved) {
    this.#saveButton.setAttribute("aria-pressed", String(saved));
    setText(find("span", this.#saveButton), saved ? "Saved" : "Save");
  }

  async #copy() {
    const copied = await copy(textOf(this.#result.passages));
    // Without a secure context there is no clipboard; the text is selected instead.
    if (!copied) getSelection().selectAllChildren(find("#passage-text"));
    flash(find("#passage-copy span"), copied ? "Copied" : "Selected", "Copy");
  }

  #download() {
    const { passages } = this.#result;
    const [{ source, seed }] = passages;
    const text = `${originOf(this.#store.get().run?.name, passages)}\n\n${textOf(passages)}\n`;
    const blob = new Blob([text], { type: "text/plain;charset=utf-8" });
    const href = URL.createObjectURL(blob);
    const name = `passage-${source?.update ?? "stopped"}-seed-${seed}.txt`;
    const link = el("a", { href, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    URL.revokeObjectURL(href);
  }

  /** Copy a link. For the operator the model is saved too, so that the link keeps working. */
  async #share() {
    const { run, request } = this.#result;
    const link = passageUrl(run, request);
    if (link === null) {
      toast("The beginning is too long for a link. Save the passage instead.");
      return;
    }
    const validity = await this.#saveModel(run, request.source);
    const copied = await copy(link);
    if (!copied) {
      this.#link.hidden = false;
      this.#link.value = link;
      this.#link.select();
    }
    flash(find("#passage-share span"), copied ? "Copied" : "Select it", "Share");
    toast(`${copied ? "Link copied." : "Here is the link."} ${validity}`);
  }

  async #saveModel(run, { update, model: fingerprint }) {
    const model = `the model of update ${format.count(update)}`;
    const meanwhile = `It gives this text as long as the server has ${model}`;
    if (!this.#store.get().operator) return `${meanwhile}.`;
    try {
      await api.saveModel(run, fingerprint);
      return "It will always give this text, however the network changes.";
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      return `${meanwhile}. ${error.message}`;
    }
  }
}

/**
 * Write to the clipboard.
 *
 * @returns {Promise<boolean>} whether the browser allowed it.
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Change the label of a button for a moment. */
function flash(word, text, label) {
  setText(word, text);
  setTimeout(() => setText(word, label), COPIED_MS);
}

/** The names of models; others are the kind of source and "model". */
export const MODELS = { best_validation: "best model by validation", snapshot: "snapshot" };

/**
 * The origin of passages in a line: run, model, temperature, seed. A passage that was stopped has
 * no source.
 */
function originOf(run, passages) {
  const [{ source, temperature, seed }] = passages;
  const parts = [run];
  if (source) {
    const { kind, update, smooth_loss: loss } = source;
    parts.push(MODELS[kind] ?? `${kind} model`, `update ${format.count(update)}`);
    if (typeof loss === "number") parts.push(`smooth loss ${format.loss(loss)}`);
  }
  if (passages.length === 1) parts.push(`temperature ${temperature}`);
  return [...parts, `seed ${seed}`].filter(Boolean).join(", ");
}

/** The passages as one text; several have their temperature as a heading. */
export function textOf(passages) {
  const whole = ({ prime = "", text }) => prime + text;
  if (passages.length === 1) return whole(passages[0]);
  const titled = (passage) => `Temperature ${passage.temperature}\n\n${whole(passage)}`;
  return passages.map(titled).join("\n\n\n");
}
