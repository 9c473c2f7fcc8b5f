/**
 * Splits a text into segments of one kind each: plain, invented (words that are not in the corpus),
 * watched, or primed. Each segment may also be marked as changed since the previous text.
 *
 * The server counts in Unicode code points and JavaScript in UTF-16 units, so the text is split by
 * code points.
 *
 * @typedef {Object} Segment
 * @property {"plain" | "invented" | "watched" | "primed"} kind
 * @property {string} text
 * @property {true} [changed]
 *
 * @typedef {Object} Highlights
 * @property {Span[]} [invented] half-open spans in code points.
 * @property {string[]} [watched] words to find.
 * @property {Span[]} [changed] half-open spans in code points.
 * @property {number} [primed] how many characters at the start are the prime.
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
export function segments(text, { invented = [], watched = [], changed = [], primed = 0 } = {}) {
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
  const isChanged = new Array(characters.length).fill(false);
  for (const [start, end] of changed) isChanged.fill(true, start, end);
  /** @type {Segment[]} */
  const found = [];
  characters.forEach((character, i) => {
    const last = found.at(-1);
    if (last?.kind === kinds[i] && Boolean(last.changed) === isChanged[i]) last.text += character;
    else found.push({ kind: kinds[i], text: character, ...(isChanged[i] && { changed: true }) });
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
