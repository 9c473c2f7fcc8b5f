/** A spec as a JSON file: the RunSpec of docs/protocol.md, or a run that contains one. */

import { problemOf } from "./spec-check.js";

const MAX_BYTES = 1_000_000;

/** Whether a file that was dropped is a spec and not a text. @param {File} file */
export const isSpecFile = ({ name, type }) => type === "application/json" || /\.json$/i.test(name);

/**
 * The fields in a file, the name of the corpus, and what is wrong with them in a sentence, or null.
 *
 * @param {File} file
 * @returns {Promise<{spec: Record<string, any>, corpusName: string, problem: string | null}>}
 */
export async function readSpecFile(file) {
  /** @param {string} problem */
  const refused = (problem) => ({ spec: {}, corpusName: "", problem });
  if (file.size > MAX_BYTES) return refused("It is too large for the settings of a run.");
  let content;
  try {
    content = JSON.parse(await file.text());
  } catch {
    return refused("It is not valid JSON.");
  }
  if (!isObject(content)) return refused("It does not contain the settings of a run.");
  const spec = isObject(content.spec) ? content.spec : content;
  const problem = problemOf(spec);
  if (problem) return refused(problem);
  const { corpus_name: name } = content;
  return { spec, corpusName: typeof name === "string" ? name : "", problem };
}

/** @param {any} value */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/**
 * The content of the file of a spec.
 *
 * @param {Record<string, any>} spec
 */
export const specFile = (spec) =>
  new Blob([`${JSON.stringify(spec, null, 2)}\n`], { type: "application/json" });
