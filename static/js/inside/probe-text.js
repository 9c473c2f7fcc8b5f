/** The text that the network reads, which can be edited. */

import { find, setText } from "../lib/dom.js";
import * as format from "../lib/format.js";
import { LIMITS } from "../lib/limits.js";

const TYPING_MS = 300;

/** @param {InsideStore} store */
export function mountProbeText(store) {
  const field = find("#inside-text");
  const reset = find("#inside-text-reset");
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  const read = () => {
    clearTimeout(timer);
    if (!problemOf(field.value)) store.dispatch({ type: "text", text: field.value });
  };
  const check = () => {
    const problem = problemOf(field.value);
    setText(find("#error-inside-text"), problem);
    if (problem) field.setAttribute("aria-invalid", "true");
    else field.removeAttribute("aria-invalid");
    const counted = `${format.count([...field.value].length)} of`;
    setText(find("#inside-text-count"), `${counted} ${format.count(LIMITS.probe_characters)}`);
    reset.disabled = field.value === store.get().defaultText;
  };

  field.addEventListener("input", () => {
    check();
    clearTimeout(timer);
    timer = setTimeout(read, TYPING_MS);
  });
  field.addEventListener("change", read);
  reset.addEventListener("click", () => {
    store.dispatch({ type: "text", text: store.get().defaultText });
    field.focus();
  });
  store.watch(
    (state) => [state.text, state.defaultText],
    (text) => {
      // While the user writes, the field is newer.
      if (text !== null && (document.activeElement !== field || !problemOf(field.value))) {
        if (field.value !== text) field.value = text;
      }
      field.disabled = text === null;
      check();
    },
  );
}

/** Why a text cannot be read, in a sentence; empty if it can. @param {string} text */
function problemOf(text) {
  const length = [...text].length;
  if (!length) return "Write at least one character for the network to read.";
  const over = length - LIMITS.probe_characters;
  if (over <= 0) return "";
  const limit = format.count(LIMITS.probe_characters);
  return `The text may have at most ${limit} characters: remove ${format.count(over)}.`;
}
