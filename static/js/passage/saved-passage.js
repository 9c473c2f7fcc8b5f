/** A saved passage as a card, with its actions. */

import { el, icon, rooted, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { LIMITS } from "../lib/limits.js";
import { savedPassageFile } from "../net/api.js";
import { passageUrl } from "../state/passage-link.js";
import { prose } from "../ui/prose.js";
import { copy, textOf } from "./passage-actions.js";
import { qualityFigures } from "../writing/quality.js";
import { toast } from "../ui/toasts.js";

const LONG_TEXT = 2600; // texts longer than this are shown in part at first
const TITLE_WORDS = 6;

export class PassageCard {
  element;

  #actions;
  #signature = null; // the content shown, as one string
  #expanded = false; // whether a long text is shown completely
  #renaming = false;

  /**
   * @param {string} id
   * @param {any} actions `operator`, `rename` and `remove`.
   */
  constructor(id, actions) {
    this.#actions = actions;
    this.element = el("article", {
      class: "passage-card",
      id: `passage-${id}`,
      "aria-labelledby": `title-${id}`,
    });
  }

  /** Show a saved passage and highlight the words that its run watches. */
  show(saved, watched) {
    const signature = JSON.stringify([saved, watched, this.#expanded]);
    if (signature === this.#signature || this.#renaming) return;
    this.#signature = signature;
    this.element.replaceChildren(
      this.#head(saved, watched),
      this.#body(saved, watched),
      this.#foot(saved, watched),
    );
  }

  #head(saved, watched) {
    const [first] = saved.passages;
    const origin = el(
      "p",
      { class: "passage-card-origin" },
      el("span", { text: saved.run_name }),
      el("span", { text: `update ${format.count(first.source.update)}` }),
    );
    const title = el("h3", {
      class: saved.title ? "passage-card-title" : "visually-hidden",
      id: `title-${saved.id}`,
      text: saved.title ?? firstWords(saved),
    });
    const head = el("header", { class: "passage-card-head" }, origin, title);
    if (this.#actions.operator) {
      const name = saved.title ? "Change the title" : "Add a title";
      const ask = () => this.#rename(head, saved, watched);
      head.append(small("edit", name, { class: "passage-card-rename", on: { click: ask } }));
    }
    return head;
  }

  #body(saved, watched) {
    const several = saved.passages.length > 1;
    const texts = saved.passages.map((passage) => {
      const primed = Array.from(passage.prime).length;
      const invented = passage.invented_words.map(([from, to]) => [from + primed, to + primed]);
      const text = prose(passage.prime + passage.text, {
        ...{ invented, watched, primed },
        unread: passage.unknown_characters,
      });
      if (!several) return text;
      const heading = el("h4", { text: `temperature ${format.fine(passage.temperature)}` });
      const quality = el("p", { class: "quality" }, ...qualityFigures(passage.quality));
      return el("section", {}, heading, quality, text);
    });
    const body = el(
      "div",
      { class: several ? "passage-card-columns" : "passage-card-text" },
      ...texts,
    );
    if (saved.request.length <= LONG_TEXT || this.#expanded) return body;
    const part = el("div", { class: "passage-card-part" }, body);
    const open = () => {
      this.#expanded = true;
      this.show(saved, watched);
    };
    part.append(
      el("button", {
        type: "button",
        class: "button button-small passage-card-more",
        text: "Show more",
        on: { click: open },
      }),
    );
    return part;
  }

  #foot(saved, watched) {
    const [first] = saved.passages;
    const several = saved.passages.length > 1;
    const known = typeof first.source.smooth_loss === "number";
    const facts = [
      known && `smooth loss ${format.loss(first.source.smooth_loss)}`,
      !several && `temperature ${Number(first.temperature.toFixed(3))}`,
      saved.request.top_k !== null && `top-k ${saved.request.top_k}`,
      saved.request.top_p !== null && `top-p ${saved.request.top_p}`,
      `seed ${first.seed}`,
      first.prime && `prime “${first.prime.trim()}”`,
      `saved ${day(saved.created_at)}`,
    ];
    const quality = several
      ? []
      : [el("p", { class: "quality" }, ...qualityFigures(first.quality))];
    return el(
      "footer",
      { class: "passage-card-foot" },
      el(
        "div",
        { class: "passage-card-facts" },
        el("p", { text: facts.filter(Boolean).join(" · ") }),
        ...quality,
      ),
      el("div", { class: "passage-card-actions" }, ...this.#buttons(saved)),
    );
  }

  #buttons(saved) {
    const again = saved.model_saved
      ? "Write it again"
      : "Write a similar one with the nearest model, since the exact model no longer exists";
    const buttons = [
      small("copy", "Copy the text", {
        on: { click: () => this.#copy(textOf(saved.passages), "Text copied.") },
      }),
      small("link", "Copy a link", {
        on: {
          click: () =>
            this.#copy(
              `${location.origin}${rooted("/passages")}?passage=${saved.id}`,
              "Link copied.",
            ),
        },
      }),
      small("save", "Download as .txt", {
        href: savedPassageFile(saved.id, "txt"),
        download: true,
      }),
    ];
    const link = passageUrl(saved.run, saved.request);
    if (link !== null) buttons.push(small("repeat", again, { href: link }));
    if (this.#actions.operator) {
      const name = saved.title ?? firstWords(saved);
      const remove = () => this.#actions.remove(saved.id, name);
      buttons.push(small("trash", "Delete", { on: { click: remove } }));
    }
    return buttons;
  }

  async #copy(text, done) {
    if (await copy(text)) toast(done);
    else toast(`The browser does not allow copying. Here is the text: ${text.slice(0, 200)}`);
  }

  /** A text field in place of the title: Enter or leaving the field renames, Escape cancels. */
  #rename(head, saved, watched) {
    this.#renaming = true;
    const input = el("input", {
      class: "passage-card-name",
      value: saved.title ?? "",
      maxlength: LIMITS.title_characters,
      placeholder: "title (optional)",
      "aria-label": "Title",
    });
    let open = true; // removing the field also blurs it
    const close = (typed) => {
      if (!open) return;
      open = false;
      this.#renaming = false;
      this.#signature = null;
      const title = typed.trim() || null;
      this.show(saved, watched);
      this.element.querySelector(".passage-card-rename")?.focus();
      if (title !== saved.title) this.#actions.rename(saved.id, title);
    };
    input.addEventListener("keydown", (event) => {
      event.stopPropagation();
      if (!["Enter", "Escape"].includes(event.key)) return;
      event.preventDefault(); // it would press the button that gets the focus
      close(event.key === "Enter" ? input.value : (saved.title ?? ""));
    });
    input.addEventListener("blur", () => close(input.value));
    head.querySelector("h3").className = "visually-hidden";
    head.querySelector(".passage-card-rename").replaceWith(input);
    input.focus();
  }
}

/** The first words of a passage, if it has no title. */
export function firstWords({ passages: [{ prime, text }] }) {
  const words = (prime + text).split(/\s+/u).filter(Boolean).slice(0, TITLE_WORDS);
  return words.length ? `${words.join(" ")} …` : "Only spaces";
}

function day(iso) {
  const at = new Date(iso);
  return Number.isNaN(at.getTime())
    ? ""
    : at.toLocaleDateString("en-GB", { day: "numeric", month: "short", year: "numeric" });
}

/** A small icon button with a label; with an `href`, a link that looks the same. */
function small(name, label, attributes) {
  const kind = attributes.href ? "a" : "button";
  const look = `button button-small button-square button-plain ${attributes.class ?? ""}`.trim();
  const type = attributes.href ? null : "button";
  return el(
    kind,
    { type, "aria-label": label, title: label, ...attributes, class: look },
    icon(name),
  );
}
