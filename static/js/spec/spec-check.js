/**
 * Checks the fields of a spec that comes from a link or from a file, by the server's description.
 *
 * The server checks every spec again. A field that is wrong must not change the form first.
 */

import * as format from "../lib/format.js";
import { FIELDS } from "./run-spec.js";

/** @typedef {import("./run-spec.js").FieldSchema} FieldSchema */

/** Whether a value is of a type of JSON schema. @type {Record<string, (value: any) => boolean>} */
const TYPES = {
  string: (value) => typeof value === "string",
  number: Number.isFinite,
  integer: Number.isSafeInteger,
  boolean: (value) => typeof value === "boolean",
  array: Array.isArray,
};

/**
 * The first problem of some fields, in a sentence; null if there is none.
 *
 * @param {Record<string, any>} fields
 */
export function problemOf(fields) {
  for (const [name, value] of Object.entries(fields)) {
    if (!Object.hasOwn(FIELDS, name)) return `A run has no setting “${name}”.`;
    const { schemas, allowed, null: none } = FIELDS[name];
    const isNull = none !== null && value === null;
    if (!isNull && !schemas.some((schema) => fits(value, schema))) {
      return Number.isInteger(value) && !Number.isSafeInteger(value)
        ? `${name} must be an integer up to ${format.count(Number.MAX_SAFE_INTEGER)} here.`
        : `${name} must be ${allowed}.`;
    }
  }
  return null;
}

/**
 * @param {any} value
 * @param {FieldSchema} schema
 * @returns {boolean}
 */
function fits(value, schema) {
  if (!TYPES[schema.type](value)) return false;
  if (schema.enum) return schema.enum.includes(value);
  if (typeof value === "number") {
    const { minimum, exclusiveMinimum, maximum, exclusiveMaximum } = schema;
    return (
      value >= (minimum ?? -Infinity) &&
      value > (exclusiveMinimum ?? -Infinity) &&
      value <= (maximum ?? Infinity) &&
      value < (exclusiveMaximum ?? Infinity)
    );
  }
  if (typeof value === "string") {
    const { length } = [...value]; // in code points
    const isBlank = Boolean(schema.minLength) && value.trim() === "";
    return !isBlank && length <= (schema.maxLength ?? Infinity);
  }
  if (!Array.isArray(value)) return true;
  const { maxItems = Infinity, items } = schema;
  return value.length <= maxItems && value.every((item) => !items || fits(item, items));
}
