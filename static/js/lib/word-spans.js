/**
 * Splits a text into segments of one kind each: plain, invented (words that are not in the corpus),
 * watched, or primed.
 *
 * The server counts in Unicode code points and JavaScript in UTF-16 units, so the text is split by
 * code points.
 *
 * @typedef {Object} Segment
 * @property {"plain" | "invented" | "watched" | "primed" | "unread"} kind
 * @property {string} text
 *
 * @typedef {Object} Highlights
 * @property {Span[]} [invented] half-open spans in code points.
 * @property {string[]} [watched] words to find.
 * @property {number} [primed] how many characters at the start are the prime.
 * @property {string[]} [unread] characters of the prime that the network does not know.
 */

const LETTER = /[\p{L}\p{M}]/u;

const JOINED_SCRIPTS = "Han Hiragana Katakana Hangul Thai Lao Khmer Myanmar".split(" ");

/** A letter of a script in which other words may follow directly; see proper_names.py. */
const JOINED_LETTER = new RegExp(
  `[\u30fc${JOINED_SCRIPTS.map((script) => `\\p{Script=${script}}`).join("")}]`,
  "u",
);

/**
 * @param {string} text
 * @param {Highlights} [highlights]
 * @returns {Segment[]}
 */
export function segments(text, highlights = {}) {
  const { invented = [], watched = [], primed = 0, unread = [] } = highlights;
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
  for (let i = 0; i < primed; i += 1) if (unread.includes(characters[i])) kinds[i] = "unread";
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
  const [startsAWord, endsAWord] = [word[0], word[word.length - 1]].map(
    (edge) => LETTER.test(edge) && !JOINED_LETTER.test(edge),
  );
  for (let start = 0; start <= characters.length - word.length; start += 1) {
    const end = start + word.length;
    const matches =
      word.every((letter, i) => letter === characters[start + i]) &&
      !(startsAWord && LETTER.test(characters[start - 1] ?? "")) &&
      !(endsAWord && LETTER.test(characters[end] ?? ""));
    if (matches) found.push(start);
  }
  return found;
}

/**
 * One or more empty lines. The indentation of the line after them is not part of the match: code
 * and verse need it.
 */
const EMPTY_LINES = /\n(?:[^\S\n]*\n)+/u;

/** The same before a line that is not empty, as far as the text is known. */
export const PARAGRAPH_ENDS = /\n(?:[^\S\n]*\n)+(?=[^\S\n]*\S)/gu;

const LEADING_LINES = /^(?:[^\S\n]*\n)+/u;

/**
 * A text without the empty lines at its start; the indentation of its first line stays.
 *
 * @param {string} text
 */
export const withoutLeadingLines = (text) => text.replace(LEADING_LINES, "");

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
    segment.text.split(EMPTY_LINES).forEach((piece, i) => {
      if (i > 0) found.push([]);
      if (piece) found.at(-1)?.push({ ...segment, text: piece });
    });
  }
  return found.filter((each) => each.some(({ text }) => text.trim())).map(trimmed);
}

/**
 * A paragraph without empty lines at its start and white space at its end.
 *
 * @param {Segment[]} paragraph
 */
function trimmed(paragraph) {
  const last = paragraph.findLastIndex(({ text }) => text.trim());
  const [first, ...rest] = paragraph.slice(0, last + 1).map((segment) => ({ ...segment }));
  const begun = { ...first, text: withoutLeadingLines(first.text) };
  const inner = begun.text ? [begun, ...rest] : rest;
  inner[inner.length - 1].text = inner[inner.length - 1].text.trimEnd();
  return inner;
}
