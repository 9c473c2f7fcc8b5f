/** What can be done with a passage that is written: keep it, copy, take it home, share, translate. */

import * as api from "../net/api.js";
import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { linkTo } from "../state/passage-link.js";
import { toast } from "../ui/toasts.js";
import { TranslateMenu } from "./translate-menu.js";

const COPIED_MS = 1600;

export class PassageDeeds {
  #store;
  #drawer = find("#passage");
  #keep = find("#passage-keep");
  #link = find("#passage-link");
  #written = null;
  #keeping = null; // the fingerprint that is just being kept
  #menu;

  /** @param {Object} store */
  constructor(store) {
    this.#store = store;
    this.#keep.addEventListener("click", () => this.keep());
    find("#passage-copy").addEventListener("click", () => this.#copy());
    find("#passage-download").addEventListener("click", () => this.#download());
    find("#passage-share").addEventListener("click", () => this.#share());
    this.#menu = new TranslateMenu(() => this.#written?.passages[0].text ?? "");
  }

  /**
   * Say what there is to do something with.
   *
   * @param {?{run: string, request: ?Object, passages: Object[]}} written null: nothing; without a
   *   `request`, what was written before it was cut short.
   */
  set(written) {
    this.#written = written;
    for (const button of this.#drawer.querySelectorAll("[data-needs-passage]")) {
      button.disabled = written === null || (button.dataset.needsPassage === "whole" && !written.request);
    }
    this.#link.hidden = true;
    this.#menu.close();
    this.#showKept(false);
  }

  /** Keep the passage in the gallery. */
  async keep() {
    const { operator } = this.#store.get();
    if (!operator || !this.#written?.request || !this.#drawer.open) return;
    const { run, passages } = this.#written;
    const [{ fingerprint }] = passages;
    if (this.#keeping === fingerprint) return;
    this.#keeping = fingerprint;
    try {
      const kept = await api.keepPassage(run, fingerprint);
      if (this.#written?.passages === passages) this.#showKept(true);
      const words = kept.model_kept ? "Kept, with the model that wrote it." : "Kept; for its model there was no room.";
      toast(words, { label: "See it", run: () => location.assign(`/passages?passage=${kept.id}`) });
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      toast(error.message);
    } finally {
      this.#keeping = null;
    }
  }

  #showKept(kept) {
    this.#keep.setAttribute("aria-pressed", String(kept));
    setText(find("span", this.#keep), kept ? "Kept" : "Keep");
  }

  async #copy() {
    const copied = await copy(textOf(this.#written.passages));
    // Without a secure context there is no clipboard to write to: select it for the reader.
    if (!copied) getSelection().selectAllChildren(find("#passage-text"));
    flash(find("#passage-copy span"), copied ? "Copied" : "Selected", "Copy");
  }

  #download() {
    const [{ source, seed }] = this.#written.passages;
    const blob = new Blob([textOf(this.#written.passages)], { type: "text/plain;charset=utf-8" });
    const href = URL.createObjectURL(blob);
    const name = `passage-${source?.update ?? "stopped"}-seed-${seed}.txt`;
    const link = el("a", { href, download: name });
    document.body.append(link);
    link.click();
    link.remove();
    URL.revokeObjectURL(href);
  }

  /** Copy a link; so that it stays true, the operator has the model kept. */
  async #share() {
    const { run, request } = this.#written;
    const link = linkTo(run, request);
    const standing = await this.#makeTrue(run, request.source);
    const copied = await copy(link);
    if (!copied) {
      this.#link.hidden = false;
      this.#link.value = link;
      this.#link.select();
    }
    flash(find("#passage-share span"), copied ? "Copied" : "Select it", "Share");
    toast(`${copied ? "The link is copied." : "Here is the link."} ${standing}`);
  }

  async #makeTrue(run, { update, model }) {
    const meanwhile = `It gives this text for as long as the server has the model of update ${format.count(update)}`;
    if (!this.#store.get().operator) return `${meanwhile}.`;
    try {
      await api.keepModel(run, model);
      return "It gives this very text, whatever the network learns from now on.";
    } catch (error) {
      if (!(error instanceof api.Problem)) throw error;
      return `${meanwhile}. ${error.message}`;
    }
  }
}

/** Write to the clipboard, if the browser lets us. */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Say something in a button for a moment. */
export function flash(word, said, usual) {
  setText(word, said);
  setTimeout(() => setText(word, usual), COPIED_MS);
}

/** The passages as one text; of several, each under its temperature. */
export function textOf(passages) {
  const whole = ({ prime = "", text }) => prime + text;
  if (passages.length === 1) return whole(passages[0]);
  const titled = (passage) => `Temperature ${passage.temperature}\n\n${whole(passage)}`;
  return passages.map(titled).join("\n\n\n");
}
