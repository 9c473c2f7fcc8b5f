/**
 * `work`, whose last result is remembered for as long as what `inputs` picks of its arguments is the
 * same: however many ask, it is worked out once for each change.
 *
 * @template T
 * @param {(...given: any[]) => any[]} inputs
 * @param {(...given: any[]) => T} work
 * @returns {(...given: any[]) => T}
 */
export function memoize(inputs, work) {
  let lastInputs = null;
  let result;
  return (...given) => {
    const now = inputs(...given);
    if (!lastInputs || now.some((part, i) => !Object.is(part, lastInputs[i]))) {
      result = work(...given);
      lastInputs = now;
    }
    return result;
  };
}
