/**
 * Finds the words of a text that differ from the text before.
 *
 * The longest common subsequence of words counts as unchanged. It is found by dynamic programming,
 * after the common start and end of both texts are set aside.
 */

const WORD = /[\p{L}\p{M}\p{N}]+(?:['’][\p{L}\p{M}\p{N}]+)*/u;
const TOKEN = new RegExp(`${WORD.source}|[^\\s\\p{L}\\p{M}\\p{N}]`, "gu");
const MAX_CELLS = 1_000_000; // a thousand by a thousand words takes some milliseconds

/**
 * @param {string} before
 * @param {string} after
 * @returns {{spans: Span[], changed: number, words: number}} the changed parts of `after` as
 *   half-open spans in code points, the number of changed words, and of all words.
 */
export function changesBetween(before, after) {
  const tokens = tokensOf(after);
  const same = unchanged(
    tokensOf(before).map(({ text }) => text),
    tokens.map(({ text }) => text),
  );
  const words = tokens.filter(({ text }) => WORD.test(text));
  const changed = tokens.filter((_, i) => !same[i]);
  const spans = [];
  tokens.forEach(({ from, to }, i) => {
    if (same[i]) return;
    if (i > 0 && !same[i - 1]) spans.at(-1)[1] = to;
    else spans.push([from, to]);
  });
  return {
    spans,
    changed: changed.filter(({ text }) => WORD.test(text)).length,
    words: words.length,
  };
}

/** The words and punctuation marks of a text, with their positions in code points. */
function tokensOf(text) {
  const tokens = [];
  let at = 0; // in code points
  let end = 0; // in UTF-16 units
  for (const { 0: token, index } of text.matchAll(TOKEN)) {
    const from = at + lengthOf(text.slice(end, index));
    at = from + lengthOf(token);
    end = index + token.length;
    tokens.push({ text: token, from, to: at });
  }
  return tokens;
}

const lengthOf = (text) => Array.from(text).length;

/** For each item of `b`, whether it belongs to the longest common subsequence with `a`. */
function unchanged(a, b) {
  const same = new Array(b.length).fill(false);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) {
    same[start] = true;
    start += 1;
  }
  let [endA, endB] = [a.length, b.length];
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA -= 1;
    endB -= 1;
    same[endB] = true;
  }
  const [rows, columns] = [endA - start, endB - start];
  // In very long texts, everything between the common start and end counts as changed.
  if (rows * columns > MAX_CELLS) return same;
  const longest = longestCommon(a.slice(start, endA), b.slice(start, endB));
  for (let i = 0, j = 0; i < rows && j < columns;) {
    if (a[start + i] === b[start + j]) {
      same[start + j] = true;
      i += 1;
      j += 1;
    } else if (longest(i + 1, j) >= longest(i, j + 1)) i += 1;
    else j += 1;
  }
  return same;
}

/**
 * Returns a function that gives the length of the longest common subsequence of `a` from i and `b`
 * from j on.
 */
function longestCommon(a, b) {
  const width = b.length + 1;
  const table = new Uint16Array((a.length + 1) * width);
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      const below = (i + 1) * width + j;
      table[i * width + j] =
        a[i] === b[j] ? table[below + 1] + 1 : Math.max(table[below], table[i * width + j + 1]);
    }
  }
  return (i, j) => table[i * width + j];
}
