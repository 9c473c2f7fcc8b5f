/** Drawing the next character: a seeded generator and the distribution at a temperature. */

export const MAX_SEED = 2 ** 32 - 1;

/** The generator's first numbers still show the seed, so they are dropped. */
const DROPPED = 12;

/**
 * A generator of random numbers, the same in every browser: sfc32 of PractRand, by Chris
 * Doty-Humphrey.
 *
 * @param {number} seed 0 to MAX_SEED
 * @returns {() => number} returns numbers from 0 to less than 1.
 */
export function randomNumbers(seed) {
  let [a, b, c, counter] = [0, 0, seed | 0, 1];
  const next = () => {
    const sum = (a + b + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum;
    return (sum >>> 0) / 2 ** 32;
  };
  for (let i = 0; i < DROPPED; i++) next();
  return next;
}

/**
 * The place of the greatest number; of several, the first.
 *
 * @param {Float64Array} numbers
 */
function argmax(numbers) {
  let best = 0;
  for (let i = 1; i < numbers.length; i++) if (numbers[i] > numbers[best]) best = i;
  return best;
}

/**
 * The probabilities of the characters. At temperature 0 the likeliest has all of it.
 *
 * @param {Float64Array} logits
 * @param {number} temperature
 * @returns {Float64Array}
 */
export function softmax(logits, temperature) {
  const likeliest = argmax(logits);
  if (temperature === 0) return logits.map((_, i) => (i === likeliest ? 1 : 0));
  const greatest = logits[likeliest];
  const weights = logits.map((logit) => Math.exp((logit - greatest) / temperature));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/**
 * Draw from a distribution.
 *
 * @param {Float64Array} probabilities
 * @param {number} random 0 to less than 1
 * @returns {number} an index
 */
export function draw(probabilities, random) {
  let rest = random;
  for (let i = 0; i < probabilities.length; i++) {
    rest -= probabilities[i];
    if (rest < 0) return i;
  }
  // Rounding: the probabilities may add up to a little less than 1.
  return argmax(probabilities);
}
