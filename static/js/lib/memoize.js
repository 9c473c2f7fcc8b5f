/**
 * `work`, whose last result is remembered for as long as what `parts` picks of its arguments is the
 * same: however many ask, it is worked out once for each change.
 *
 * @template T
 * @param {(...given: any[]) => any[]} parts
 * @param {(...given: any[]) => T} work
 * @returns {(...given: any[]) => T}
 */
export function remembered(parts, work) {
  let known = null;
  let result;
  return (...given) => {
    const now = parts(...given);
    if (!known || now.some((part, i) => !Object.is(part, known[i]))) {
      result = work(...given);
      known = now;
    }
    return result;
  };
}
