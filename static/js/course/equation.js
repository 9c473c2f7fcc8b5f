/**
 * Sets an equation of the course, written as plain text: "dh_{t-1} = e_{t-1} + W^T da_t".
 *
 * `_` and `^` lower and raise the next symbol, or several in braces; `*` multiplies entry by entry.
 */

import { el } from "../lib/dom.js";

// A subscript or superscript, its content in braces or one symbol; a name; any other character.
const TOKEN = /([_^])(?:\{([^}]*)\}|(\w))|([A-Za-z]+)|(\s+|.)/gu;
// A variable, or the gradient with respect to one. Other names are functions or words.
const VARIABLE = /^d?[A-Za-z]$/u;
// A variable with a subscript or superscript, in a sentence.
const IN_SENTENCE = /(\b[A-Za-z]{1,2}(?:[_^](?:\{[^}]*\}|\w))+)/gu;
/** @type {Record<string, string>} */
const SIGNS = { "-": "−", "*": "⊙", sum: "∑" };

/** @type {(text: string) => (Node | string)[]} */
const typeset = (text) =>
  [...text.matchAll(TOKEN)].map(([whole, level, several, one]) => {
    if (level) return el(level === "_" ? "sub" : "sup", {}, ...typeset(several ?? one));
    return VARIABLE.test(whole) ? el("i", { text: whole }) : (SIGNS[whole] ?? whole);
  });

/** @type {(text: string) => any} */
export const equation = (text) => el("span", { class: "equation" }, ...typeset(text));

/** The parts of a sentence with variables in it. @type {(text: string) => (Node | string)[]} */
export const sentence = (text) =>
  text.split(IN_SENTENCE).map((part, i) => (i % 2 ? equation(part) : part));
