/**
 * The fields of a spec as a text in the URL, to be read and edited by hand:
 * `/?new=cell:lstm,hidden_size:256,name:Lesson+3`.
 *
 * Only fields that differ from their defaults are written. "none" is null, and watched words are
 * separated by semicolons. Commas, semicolons and percent signs within a value are escaped. The
 * name of the corpus follows its id, for the message on a server that does not have the corpus.
 */

import { rooted } from "../lib/dom.js";
import { readable } from "../net/query.js";
import { problemOf } from "./spec-check.js";
import { DEFAULT_SPEC, FIELDS } from "./run-spec.js";

const NULL = "none";
const CORPUS_NAME = "corpus_name";

/**
 * A spec with the defaults of all fields that it leaves out.
 *
 * @param {Record<string, any>} spec
 * @returns {Record<string, any>}
 */
export function withDefaults(spec) {
  const whole = { ...DEFAULT_SPEC, ...spec };
  for (const name of Object.keys(FIELDS)) {
    if (!(name in spec)) whole[name] = defaultOf(name, whole);
  }
  return whole;
}

/**
 * The text of a spec; empty if every field has its default.
 *
 * @param {Record<string, any>} spec all fields or some.
 * @param {string} [corpusName] of the spec's corpus.
 */
export function formatSpec(spec, corpusName = "") {
  const parts = Object.keys(FIELDS)
    .filter((name) => name in spec && !isDefault(name, spec))
    .map((name) => `${name}:${textOf(spec[name])}`);
  if (spec.corpus && corpusName) parts.push(`${CORPUS_NAME}:${escaped(corpusName)}`);
  return parts.join(",");
}

/**
 * The fields in a text, the name of the corpus, and what is wrong with them in a sentence, or null.
 *
 * @param {string} text
 * @returns {{spec: Record<string, any>, corpusName: string, problem: string | null}}
 */
export function parseSpec(text) {
  /** @type {[string, any][]} */
  const fields = [];
  let corpusName = "";
  for (const part of text.split(",").filter((each) => each.trim())) {
    const colon = part.indexOf(":");
    if (colon < 0) return { spec: {}, corpusName, problem: `“${part}” is not NAME:VALUE.` };
    const name = part.slice(0, colon).trim();
    const value = part.slice(colon + 1).trim();
    if (name === CORPUS_NAME) corpusName = unescaped(value);
    else if (fields.some(([known]) => known === name)) {
      return { spec: {}, corpusName, problem: `${name} is there twice.` };
    } else fields.push([name, Object.hasOwn(FIELDS, name) ? valueOf(name, value) : value]);
  }
  const spec = Object.fromEntries(fields);
  const problem = problemOf(spec);
  return { spec: problem ? {} : spec, corpusName, problem };
}

/**
 * The address that opens the form with a spec.
 *
 * @param {string} text see `formatSpec`.
 * @param {string | null} [vary] what varies in a sweep, see ranges.js.
 */
export function specLink(text, vary = null) {
  const params = new URLSearchParams({ new: text, ...(vary !== null && { vary }) });
  return `${location.origin}${rooted("/")}?${readable(params)}`;
}

/**
 * @param {string} name
 * @param {Record<string, any>} spec
 */
function defaultOf(name, spec) {
  const { default: own, default_by: by } = FIELDS[name];
  return by ? by.defaults[spec[by.field] ?? DEFAULT_SPEC[by.field]] : own;
}

/**
 * @param {string} name
 * @param {Record<string, any>} spec
 */
const isDefault = (name, spec) =>
  JSON.stringify(spec[name]) === JSON.stringify(defaultOf(name, spec));

/** @param {any} value */
function textOf(value) {
  if (value === null) return NULL;
  return Array.isArray(value) ? value.map(escaped).join(";") : escaped(String(value));
}

/**
 * The value that a text stands for. What is not one of the field is refused by its description.
 *
 * @param {string} name
 * @param {string} text
 */
function valueOf(name, text) {
  const { control, null: none, choices } = FIELDS[name];
  if (control === "text") return unescaped(text);
  if (none && text === NULL) return null;
  if (control === "words") return text ? text.split(";").map(unescaped) : [];
  if (control === "checkbox") return { true: true, false: false }[text] ?? text;
  if (control === "select" && choices.some((choice) => choice === text)) return text;
  return text === "" || Number.isNaN(Number(text)) ? unescaped(text) : Number(text);
}

/** @param {string} text */
const escaped = (text) => text.replace(/[%,;]/g, encodeURIComponent);

/** @param {string} text */
const unescaped = (text) => text.replace(/%(?:25|2C|3B)/gi, decodeURIComponent);
