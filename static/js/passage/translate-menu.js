/** A menu of external translators; each entry is a link that contains the passage. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import {
  templateError,
  translationUrl,
  customTemplate,
  rememberTemplate,
  TRANSLATORS,
} from "./translators.js";
import { popover } from "../ui/popover.js";

export class TranslateMenu {
  #text;
  #custom = customTemplate();
  #field = find("#translate-template");
  #menu;

  /** @param {() => string} text the text to translate. */
  constructor(text) {
    this.#text = text;
    this.#menu = popover(find("#passage-translate"), find("#translate-panel"), () => this.#fill());
    find("#translate-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#set(this.#field.value.trim());
    });
  }

  close() {
    this.#menu.close();
  }

  #set(template) {
    const error = template ? templateError(template) : null;
    setText(find("#translate-fault"), error ?? "");
    if (error) return;
    this.#custom = template;
    rememberTemplate(template);
    this.#fill();
  }

  #fill() {
    const text = this.#text();
    const [language] = (navigator.language || "en").split("-");
    const custom = this.#custom && { name: new URL(this.#custom).host, template: this.#custom };
    const all = [...TRANSLATORS, ...(custom ? [custom] : [])];
    const links = all.map(({ name, template }) => ({
      name,
      ...translationUrl(template, text, language),
    }));
    const whole = Array.from(text).length;
    this.#field.value = this.#custom;
    find("#translate-list").replaceChildren(
      ...links.map(({ name, href, characters }) => {
        const part =
          characters < whole
            ? `the first ${format.count(characters)} characters`
            : "the whole text";
        const link = el(
          "a",
          { href, target: "_blank", rel: "noopener noreferrer", on: { click: () => this.close() } },
          name,
          el("small", { text: part }),
        );
        return el("li", {}, link);
      }),
    );
  }
}
