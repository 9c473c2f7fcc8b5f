/**
 * Splits a text into segments of one kind each: plain, invented (words that are not in the corpus),
 * watched, or primed.
 *
 * The server counts in Unicode code points and JavaScript in UTF-16 units, so the text is split by
 * code points.
 *
 * @typedef {Object} Segment
 * @property {"plain" | "invented" | "watched" | "primed"} kind
 * @property {string} text
 *
 * @typedef {Object} Highlights
 * @property {Span[]} [invented] half-open spans in code points.
 * @property {string[]} [watched] words to find.
 * @property {number} [primed] how many characters at the start are the prime.
 */

const LETTER = /[\p{L}\p{M}]/u;

/**
 * @param {string} text
 * @param {Highlights} [highlights]
 * @returns {Segment[]}
 */
export function segments(text, { invented = [], watched = [], primed = 0 } = {}) {
  const characters = Array.from(text);
  /** @type {Segment["kind"][]} */
  const kinds = new Array(characters.length).fill("plain");
  for (const [start, end] of invented) kinds.fill("invented", start, end);
  for (const word of watched) {
    const letters = Array.from(word);
    for (const start of occurrences(characters, letters)) {
      kinds.fill("watched", start, start + letters.length);
    }
  }
  kinds.fill("primed", 0, primed);
  /** @type {Segment[]} */
  const found = [];
  characters.forEach((character, i) => {
    const last = found.at(-1);
    if (last?.kind === kinds[i]) last.text += character;
    else found.push({ kind: kinds[i], text: character });
  });
  return found;
}

/**
 * The positions where `word` occurs as a whole word.
 *
 * @param {string[]} characters
 * @param {string[]} word
 */
function occurrences(characters, word) {
  /** @type {number[]} */
  const found = [];
  if (!word.length) return found;
  for (let start = 0; start <= characters.length - word.length; start += 1) {
    const end = start + word.length;
    const matches =
      word.every((letter, i) => letter === characters[start + i]) &&
      !LETTER.test(characters[start - 1] ?? "") &&
      !LETTER.test(characters[end] ?? "");
    if (matches) found.push(start);
  }
  return found;
}

/**
 * Group segments into paragraphs. An empty line starts a new one; a single line break does not.
 *
 * @param {Segment[]} split
 * @returns {Segment[][]}
 */
export function paragraphs(split) {
  /** @type {Segment[][]} */
  const found = [[]];
  for (const segment of split) {
    segment.text.split(/\n{2,}/).forEach((piece, i) => {
      if (i > 0) found.push([]);
      if (piece) found.at(-1)?.push({ ...segment, text: piece });
    });
  }
  return found.filter((each) => each.some(({ text }) => text.trim())).map(trimmed);
}

/**
 * A paragraph without white space at its start and end.
 *
 * @param {Segment[]} paragraph
 */
function trimmed(paragraph) {
  const first = paragraph.findIndex(({ text }) => text.trim());
  const last = paragraph.findLastIndex(({ text }) => text.trim());
  const inner = paragraph.slice(first, last + 1).map((segment) => ({ ...segment }));
  inner[0].text = inner[0].text.trimStart();
  inner[inner.length - 1].text = inner[inner.length - 1].text.trimEnd();
  return inner;
}
