/**
 * A text cut into runs of one kind: plain, invented (words that the corpus lacks) and watched; each
 * of them may have changed since the text before.
 *
 * The server counts in Unicode code points, JavaScript in UTF-16 units; the cutting is done in
 * code points.
 */

const LETTER = /[\p{L}\p{M}]/u;

/**
 * @param {string} text
 * @param {{invented?: [number, number][], watched?: string[], changed?: [number, number][], primed?: number}} marks
 *   half-open spans in code points, words to look for, and how many characters at the beginning the
 *   text went on from.
 * @returns {{kind: "plain" | "invented" | "watched" | "primed", text: string, changed?: true}[]}
 */
export function segments(text, { invented = [], watched = [], changed = [], primed = 0 } = {}) {
  const characters = Array.from(text);
  const kinds = new Array(characters.length).fill("plain");
  for (const [start, end] of invented) kinds.fill("invented", start, end);
  for (const word of watched) {
    const letters = Array.from(word);
    for (const start of occurrences(characters, letters)) {
      kinds.fill("watched", start, start + letters.length);
    }
  }
  kinds.fill("primed", 0, primed);
  const isChanged = new Array(characters.length).fill(false);
  for (const [start, end] of changed) isChanged.fill(true, start, end);
  const cut = [];
  characters.forEach((character, i) => {
    const last = cut.at(-1);
    if (last?.kind === kinds[i] && Boolean(last.changed) === isChanged[i]) last.text += character;
    else cut.push({ kind: kinds[i], text: character, ...(isChanged[i] && { changed: true }) });
  });
  return cut;
}

/** Where `word` stands in `characters` as a word of its own. */
function occurrences(characters, word) {
  const found = [];
  if (!word.length) return found;
  for (let start = 0; start <= characters.length - word.length; start += 1) {
    const end = start + word.length;
    const stands =
      word.every((letter, i) => letter === characters[start + i]) &&
      !LETTER.test(characters[start - 1] ?? "") &&
      !LETTER.test(characters[end] ?? "");
    if (stands) found.push(start);
  }
  return found;
}

/**
 * The segments as paragraphs: an empty line parts two, a single line end stays within one.
 *
 * @returns {{kind: string, text: string}[][]}
 */
export function paragraphs(cut) {
  const pages = [[]];
  for (const segment of cut) {
    segment.text.split(/\n{2,}/).forEach((piece, i) => {
      if (i > 0) pages.push([]);
      if (piece) pages.at(-1).push({ ...segment, text: piece });
    });
  }
  return pages.filter((page) => page.some(({ text }) => text.trim())).map(trimmed);
}

/** A paragraph without the space before its first character and after its last. */
function trimmed(page) {
  const first = page.findIndex(({ text }) => text.trim());
  const last = page.findLastIndex(({ text }) => text.trim());
  const kept = page.slice(first, last + 1).map((segment) => ({ ...segment }));
  kept[0].text = kept[0].text.trimStart();
  kept.at(-1).text = kept.at(-1).text.trimEnd();
  return kept;
}
