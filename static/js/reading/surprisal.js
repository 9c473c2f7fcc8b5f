/** What was read, ready to be shown: characters with their surprisals, and sentences about them. */

import { chapterAt, characterName, pageAt, pageCount } from "../lib/book-pages.js";
import * as format from "../lib/format.js";

/** From so many bits on, a character is tinted a step deeper. */
export const STEPS_BITS = [1, 2, 3, 4.5, 6, 8, 10];

/** How deeply a character of so many bits is tinted, 0 to 7. */
export const stepOf = (bits) => STEPS_BITS.filter((least) => bits !== null && bits >= least).length;

/**
 * The characters of a passage as a server's Reading has it, in order.
 *
 * Strings from the server are counted in code points.
 *
 * @returns {{character: string, bits: number|null, expected: [string, number][]|null,
 *   read: boolean, rank: number, blank: boolean}[]} `read` at the update itself; `rank` 0 for the
 *   most surprising, -1 for those that are not named; `blank` the end of an empty line.
 */
export function charactersOf(passage) {
  const part = (text, surprisal, read) =>
    Array.from(text).map((character, i) => ({
      character,
      bits: surprisal[i],
      expected: read ? passage.top[i] : null,
      read,
      rank: read ? passage.most_surprising.findIndex(({ index }) => index === i) : -1,
    }));
  const all = [
    ...part(passage.before, passage.surprisal_before, false),
    ...part(passage.text, passage.surprisal, true),
    ...part(passage.after, passage.surprisal_after, false),
  ];
  const ends = ({ character } = {}) => character === "\n";
  all.forEach((one, i) => {
    one.blank = ends(one) && ends(all[i - 1]);
  });
  return all;
}

const bitsText = (bits) => `${format.loss(bits)} bits`;

/** "‘t’ 41%, a space 12%, ‘s’ 8%". */
const guesses = (expected) =>
  expected.map(([character, share]) => `${characterName(character)} ${percent(share)}`).join(", ");

const percent = (share) => (share > 0 && share < 0.005 ? "under 1%" : format.share(share));

/** What there is to say of one character, in one line. */
export function aboutCharacter({ character, bits, expected }) {
  const name = characterName(character);
  if (bits === null) return `${name}: not guessed, it is where the reading begins`;
  const line = `${name}: ${bitsText(bits)}`;
  return expected?.length ? `${line}; expected ${guesses(expected)}` : line;
}

/** "The most surprising: ‘Q’ in “Quill”, 11.2 bits; it expected ‘t’." */
export function mostSurprising(passage) {
  const [first, ...others] = passage.most_surprising;
  if (!first) return "Its surprisals are no finite numbers: the network had run away.";
  const word = first.word ? ` in “${format.isolateDirection(first.word)}”` : wordBefore(passage, first.index);
  const expected = first.expected.length ? `; it expected ${characterName(first.expected[0][0])}` : "";
  const rest = others.map((one) => `${characterName(one.character)} ${bitsText(one.surprisal)}`);
  const then = rest.length ? ` Then ${rest.join(" and ")}.` : "";
  const name = characterName(first.character);
  return `The most surprising: ${name}${word}, ${bitsText(first.surprisal)}${expected}.${then}`;
}

/** " after “Esq”", for what is no letter and stands right behind a word. */
function wordBefore({ before, text }, index) {
  const read = before + Array.from(text).slice(0, index).join("");
  const word = /[\p{L}\p{M}\d]+$/u.exec(read)?.[0];
  return word ? ` after “${format.isolateDirection(word)}”` : "";
}

/** "loss 95.7, 53.2 above the smooth loss", in a unit of curve/axes.js. */
export function lossSentence({ loss, smooth_loss: smooth }, { of, digits }) {
  if (loss === null) return "its loss is no finite number";
  const known = `loss ${format.rounded(of(loss), digits)}`;
  if (smooth === null) return known;
  const apart = of(loss) - of(smooth);
  const nothing = Math.abs(apart) < 0.5 / 10 ** digits;
  const far = format.rounded(Math.abs(apart), digits);
  const where = nothing ? "at" : `${far} ${apart > 0 ? "above" : "below"}`;
  return `${known}, ${where} the smooth loss`;
}

/** "epoch 4, page 168 of 258 (CHAPTER TEN), by the network of update 66,000". */
export function placeSentence(reading, passage, run, headings) {
  const characters = run.corpus_characters;
  const page = `page ${format.count(pageAt(passage.position, characters))}`;
  const chapter = chapterAt(headings, passage.position);
  const of = `${format.count(pageCount(characters))}${chapter ? ` (${chapter})` : ""}`;
  const { kind, update } = reading.source;
  const by =
    update === 0 && kind !== "checkpoint"
      ? "by the network before its first update"
      : `by the network of update ${format.count(update)}`;
  return `epoch ${format.count(reading.epoch)}, ${page} of ${of}, ${by}`;
}
