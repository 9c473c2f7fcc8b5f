/** The tints of a text by surprisal; css/reading/tints.css has the colours. */

/** At each of these figures, in bits, the tint becomes one step darker. */
export const STEPS_BITS = [1, 2, 3, 4.5, 6, 8, 10];

/** The step of the tint for a surprisal in bits, 0 to 7. @param {number | null} bits */
export const stepOf = (bits) => STEPS_BITS.filter((least) => bits !== null && bits >= least).length;
