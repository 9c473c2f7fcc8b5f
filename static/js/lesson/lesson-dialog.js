/** The dialog that makes a lesson link from the view in the address. */

import { el, find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { copyText } from "../ui/copy.js";
import { groupsHere, hideGroups } from "./control-groups.js";
import { fragmentOf, MAX_TEXT, MAX_TITLE } from "./lesson-link.js";
import { paragraphsOf, plain } from "./lesson-text.js";

/** @typedef {import("./lesson-link.js").Lesson} Lesson */

const OF_THIS_COMPUTER = /^(?:localhost|127\..*|\[::1\])$/u;

export class LessonDialog {
  #dialog = find("#lesson-dialog");
  #title = find("#lesson-new-title");
  #text = find("#lesson-new-text");
  #address = find("#lesson-address");
  #current;

  /** @param {() => Lesson | null} current the lesson in the address. */
  constructor(current) {
    this.#current = current;
    this.#title.maxLength = MAX_TITLE;
    this.#text.maxLength = MAX_TEXT;
    find("#lesson-open").addEventListener("click", () => this.#open());
    this.#dialog.addEventListener("input", () => this.#show());
    this.#dialog.addEventListener("close", () => hideGroups(current()?.hidden ?? []));
    this.#address.addEventListener("focus", () => this.#address.select());
    find("#lesson-copy").addEventListener("click", () =>
      copyText(this.#address.value, "The lesson link was copied."),
    );
    find("#lesson-local").hidden = !OF_THIS_COMPUTER.test(location.hostname);
  }

  #open() {
    find("#keys").close();
    const lesson = this.#current();
    this.#title.value = lesson?.title ?? "";
    this.#text.value = lesson?.text ?? "";
    const choices = groupsHere().map(({ name, label }) => {
      const box = el("input", { type: "checkbox", value: name });
      box.checked = !lesson?.hidden.includes(name);
      return el("label", {}, box, el("span", { text: label }));
    });
    find("#lesson-groups").replaceChildren(...choices);
    this.#show();
    this.#dialog.showModal();
  }

  /** @returns {Lesson} */
  #lesson() {
    const boxes = /** @type {HTMLInputElement[]} */ ([
      ...find("#lesson-groups").querySelectorAll("input"),
    ]);
    return {
      title: plain(this.#title.value).trim(),
      text: plain(this.#text.value).trim(),
      hidden: boxes.filter(({ checked }) => !checked).map(({ value }) => value),
    };
  }

  #show() {
    const lesson = this.#lesson();
    const characters = format.count(this.#text.value.length);
    setText(find("#lesson-count"), `${characters} of ${format.count(MAX_TEXT)} characters`);
    setText(find("#lesson-preview-title"), lesson.title || "Lesson");
    find("#lesson-preview-text").replaceChildren(...paragraphsOf(lesson.text));
    hideGroups(lesson.hidden);
    const fragment = fragmentOf(lesson);
    this.#address.value = location.origin + location.pathname + location.search + fragment;
    find("#lesson-try").href = this.#address.value;
  }
}
