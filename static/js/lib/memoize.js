/**
 * A function that caches the last result of `work`. It computes a new one when any of the values
 * that `inputs` selects from the arguments changes.
 *
 * @template {any[]} A
 * @template T
 * @param {(...given: A) => any[]} inputs
 * @param {(...given: A) => T} work
 * @returns {(...given: A) => T}
 */
export function memoize(inputs, work) {
  /** @type {any[] | null} */
  let lastInputs = null;
  /** @type {T} */
  let result;
  return (...given) => {
    const now = inputs(...given);
    if (!lastInputs?.every((input, i) => Object.is(input, now[i]))) {
      result = work(...given);
      lastInputs = now;
    }
    return result;
  };
}
