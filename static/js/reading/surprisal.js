/** The text read at an update: characters with their surprisal, and sentences about them. */

import { chapterAt, characterName, bookPageAt, bookPageCount } from "../lib/book-pages.js";
import * as format from "../lib/format.js";

/**
 * The characters of a passage, in order.
 *
 * The server counts characters in code points.
 *
 * @typedef {{character: string, bits: number | null, expected: [string, number][] | null,
 *   read: boolean, rank: number, blank: boolean}} ReadCharacter
 *   `read` at the update itself; `rank` 0 for the most surprising, -1 for those without a rank;
 *   `blank` the end of an empty line.
 * @param {PassageSurprisal} passage
 * @returns {ReadCharacter[]}
 */
export function charactersOf(passage) {
  /** @type {(text: string, surprisal: (number | null)[], read: boolean) => ReadCharacter[]} */
  const part = (text, surprisal, read) =>
    Array.from(text).map((character, i) => ({
      character,
      bits: surprisal[i],
      expected: read ? passage.top[i] : null,
      read,
      rank: read ? passage.most_surprising.findIndex(({ index }) => index === i) : -1,
      blank: false,
    }));
  const all = [
    ...part(passage.before, passage.surprisal_before, false),
    ...part(passage.text, passage.surprisal, true),
    ...part(passage.after, passage.surprisal_after, false),
  ];
  all.forEach((one, i) => {
    one.blank = one.character === "\n" && all[i - 1]?.character === "\n";
  });
  return all;
}

const bitsText = (bits) => `${format.loss(bits)} bits`;

/** "‘t’ 41%, a space 12%, ‘s’ 8%". */
const guesses = (expected) =>
  expected.map(([character, share]) => `${characterName(character)} ${percent(share)}`).join(", ");

const percent = (share) => (share > 0 && share < 0.005 ? "under 1%" : format.share(share));

/** One character in one line. */
export function aboutCharacter({ character, bits, expected }) {
  const name = characterName(character);
  if (bits === null) return `${name}: not predicted, since the text begins here`;
  const line = `${name}: ${bitsText(bits)}`;
  return expected?.length ? `${line}; expected ${guesses(expected)}` : line;
}

/** "Most surprising: ‘Q’ in “Quill”, 11.2 bits; expected ‘t’." */
export function mostSurprising(passage) {
  const [first, ...others] = passage.most_surprising;
  if (!first) return "The surprisals are not finite: the network has diverged.";
  const word = first.word
    ? ` in “${format.isolateDirection(first.word)}”`
    : wordBefore(passage, first.index);
  const expected = first.expected.length ? `; expected ${characterName(first.expected[0][0])}` : "";
  const rest = others.map((one) => `${characterName(one.character)} ${bitsText(one.surprisal)}`);
  const then = rest.length ? ` Next: ${rest.join(" and ")}.` : "";
  const name = characterName(first.character);
  return `Most surprising: ${name}${word}, ${bitsText(first.surprisal)}${expected}.${then}`;
}

/** " after “Esq”", for a character that is not a letter and follows a word. */
function wordBefore({ before, text }, index) {
  const read = before + Array.from(text).slice(0, index).join("");
  const word = /[\p{L}\p{M}\d]+$/u.exec(read)?.[0];
  return word ? ` after “${format.isolateDirection(word)}”` : "";
}

/** "loss 95.7, 53.2 above the smooth loss", in a unit of curve/axes.js. */
export function lossSentence({ loss, smooth_loss: smooth }, { of, digits }) {
  if (loss === null) return "loss not finite";
  const known = `loss ${format.rounded(of(loss), digits)}`;
  if (smooth === null) return known;
  const apart = of(loss) - of(smooth);
  const nothing = Math.abs(apart) < 0.5 / 10 ** digits;
  const far = format.rounded(Math.abs(apart), digits);
  const where = nothing ? "at" : `${far} ${apart > 0 ? "above" : "below"}`;
  return `${known}, ${where} the smooth loss`;
}

/** "epoch 4, page 168 of 258 (CHAPTER TEN), network of update 66,000". */
export function placeSentence(reading, passage, run, headings) {
  const characters = run.corpus_characters;
  const bookPage = `page ${format.count(bookPageAt(passage.position, characters))}`;
  const chapter = chapterAt(headings, passage.position);
  const of = `${format.count(bookPageCount(characters))}${chapter ? ` (${chapter})` : ""}`;
  const { kind, update } = reading.source;
  const by =
    update === 0 && kind !== "checkpoint"
      ? "network before the first update"
      : `network of update ${format.count(update)}`;
  return `epoch ${format.count(reading.epoch)}, ${bookPage} of ${of}, ${by}`;
}
