/** A menu of translators elsewhere, each a link that hands the passage over. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { faultOf, handOver, ownTemplate, rememberTemplate, TRANSLATORS } from "./translators.js";
import { popover } from "../ui/popover.js";

export class TranslateMenu {
  #text;
  #own = ownTemplate();
  #field = find("#translate-template");
  #menu;

  /** @param {() => string} text what is to be translated. */
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
    const fault = template ? faultOf(template) : null;
    setText(find("#translate-fault"), fault ?? "");
    if (fault) return;
    this.#own = template;
    rememberTemplate(template);
    this.#fill();
  }

  #fill() {
    const text = this.#text();
    const [language] = (navigator.language || "en").split("-");
    const own = this.#own && { name: new URL(this.#own).host, template: this.#own };
    const all = [...TRANSLATORS, ...(own ? [own] : [])];
    const handed = all.map(({ name, template }) => ({ name, ...handOver(template, text, language) }));
    const whole = Array.from(text).length;
    this.#field.value = this.#own;
    find("#translate-list").replaceChildren(
      ...handed.map(({ name, href, characters }) => {
        const part = characters < whole ? `the first ${format.count(characters)} characters` : "all of it";
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
