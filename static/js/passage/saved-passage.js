/** One kept passage as a page of a book, and what can be done with it. */

import { el, icon, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { linkTo } from "../state/passage-link.js";
import { prose } from "../ui/prose.js";
import { copy, textOf } from "./passage-actions.js";
import { qualityWords } from "../writing/quality.js";
import { toast } from "../ui/toasts.js";

const LONG = 2600; // characters of a text, from which on a part of it is shown at first
const TITLE_WORDS = 6;

export class Leaf {
  element;

  #deeds;
  #seen = null; // what is shown, as one string
  #open = false; // whether a long text is shown whole
  #renaming = false;

  /**
   * @param {string} id
   * @param {{operator: boolean, rename: Function, remove: Function}} deeds
   */
  constructor(id, deeds) {
    this.#deeds = deeds;
    this.element = el("article", { class: "leaf", id: `passage-${id}`, "aria-labelledby": `title-${id}` });
  }

  /** Show a kept passage, with the words that its run watches. */
  show(kept, watched) {
    const seen = JSON.stringify([kept, watched, this.#open]);
    if (seen === this.#seen || this.#renaming) return;
    this.#seen = seen;
    this.element.replaceChildren(this.#head(kept, watched), this.#body(kept, watched), this.#foot(kept, watched));
  }

  #head(kept, watched) {
    const [first] = kept.passages;
    const origin = el(
      "p",
      { class: "leaf-origin" },
      el("span", { text: kept.run_name }),
      el("span", { text: `update ${format.count(first.source.update)}` }),
    );
    const title = el("h3", {
      class: kept.title ? "leaf-title" : "visually-hidden",
      id: `title-${kept.id}`,
      text: kept.title ?? firstWords(kept),
    });
    const head = el("header", { class: "leaf-head" }, origin, title);
    if (this.#deeds.operator) {
      const name = kept.title ? "Another title" : "Give it a title";
      const ask = () => this.#rename(head, kept, watched);
      head.append(small("edit", name, { class: "leaf-rename", on: { click: ask } }));
    }
    return head;
  }

  #body(kept, watched) {
    const several = kept.passages.length > 1;
    const texts = kept.passages.map((passage) => {
      const primed = Array.from(passage.prime).length;
      const invented = passage.invented_words.map(([from, to]) => [from + primed, to + primed]);
      const page = prose(passage.prime + passage.text, { invented, watched, primed });
      if (!several) return page;
      const heading = el("h4", { text: `temperature ${format.fine(passage.temperature)}` });
      const quality = el("p", { class: "quality" }, ...qualityWords(passage.quality));
      return el("section", {}, heading, quality, page);
    });
    const body = el("div", { class: several ? "leaf-columns" : "leaf-text" }, ...texts);
    if (kept.request.length <= LONG || this.#open) return body;
    const part = el("div", { class: "leaf-part" }, body);
    const open = () => {
      this.#open = true;
      this.show(kept, watched);
    };
    part.append(
      el("button", { type: "button", class: "button button-small leaf-open", text: "Read on", on: { click: open } }),
    );
    return part;
  }

  #foot(kept, watched) {
    const [first] = kept.passages;
    const several = kept.passages.length > 1;
    const known = typeof first.source.smooth_loss === "number";
    const facts = [
      known && `smooth loss ${format.loss(first.source.smooth_loss)}`,
      !several && `temperature ${Number(first.temperature.toFixed(3))}`,
      kept.request.top_k !== null && `top-k ${kept.request.top_k}`,
      kept.request.top_p !== null && `top-p ${kept.request.top_p}`,
      `seed ${first.seed}`,
      first.prime && `beginning with “${first.prime.trim()}”`,
      `kept ${day(kept.created_at)}`,
    ];
    const quality = several
      ? []
      : [el("p", { class: "quality" }, ...qualityWords(first.quality))];
    return el(
      "footer",
      { class: "leaf-foot" },
      el("div", { class: "leaf-facts" }, el("p", { text: facts.filter(Boolean).join(" · ") }), ...quality),
      el("div", { class: "leaf-deeds" }, ...this.#buttons(kept, watched)),
    );
  }

  #buttons(kept) {
    const file = `/api/kept/${kept.id}/file?format=`;
    const again = kept.model_kept ? "Write it again" : "Write another by the nearest model: its own is gone";
    const buttons = [
      small("copy", "Copy the text", { on: { click: () => this.#copy(textOf(kept.passages), "The text is copied.") } }),
      small("link", "Copy a link to it", {
        on: { click: () => this.#copy(`${location.origin}/passages?passage=${kept.id}`, "The link is copied.") },
      }),
      small("save", "Download as .txt", { href: `${file}txt`, download: true }),
      small("again", again, { href: linkTo(kept.run, kept.request) }),
    ];
    if (this.#deeds.operator) {
      const name = kept.title ?? firstWords(kept);
      const remove = () => this.#deeds.remove(kept.id, name);
      buttons.push(small("trash", "Take it out", { on: { click: remove } }));
    }
    return buttons;
  }

  async #copy(text, done) {
    if (await copy(text)) toast(done);
    else toast(`The browser doesn’t let this page copy. Here it is to select: ${text.slice(0, 200)}`);
  }

  /** A field in place of the title: Enter or leaving it renames, Escape does not. */
  #rename(head, kept, watched) {
    this.#renaming = true;
    const input = el("input", {
      class: "leaf-name",
      value: kept.title ?? "",
      maxlength: 200,
      placeholder: "a title, or none",
      "aria-label": "Title",
    });
    let open = true; // taking the field away also blurs it
    const close = (typed) => {
      if (!open) return;
      open = false;
      this.#renaming = false;
      this.#seen = null;
      const title = typed.trim() || null;
      this.show(kept, watched);
      this.element.querySelector(".leaf-rename")?.focus();
      if (title !== kept.title) this.#deeds.rename(kept.id, title);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (!["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // it would press the button that gets the focus
      close(event.key === "Enter" ? input.value : (kept.title ?? ""));
    });
    input.addEventListener("blur", () => close(input.value));
    head.querySelector("h3").className = "visually-hidden";
    head.querySelector(".leaf-rename").replaceWith(input);
    input.focus();
  }
}

/** The first words of a passage, for where it has no title. */
export function firstWords({ passages: [{ prime, text }] }) {
  const words = (prime + text).split(/\s+/u).filter(Boolean).slice(0, TITLE_WORDS);
  return words.length ? `${words.join(" ")} …` : "Nothing but spaces";
}

function day(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime())
    ? ""
    : at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** A small button with an icon and a name; with an `href`, a link that looks so. */
function small(name, label, attributes) {
  const kind = attributes.href ? "a" : "button";
  const look = `button button-small button-square button-plain ${attributes.class ?? ""}`.trim();
  const type = attributes.href ? null : "button";
  return el(kind, { type, "aria-label": label, title: label, ...attributes, class: look }, icon(name));
}
