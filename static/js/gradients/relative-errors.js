/** Relative errors as text, and as colours on a logarithmic scale. Pure functions. */

/** Smaller errors are treated as zero. */
export const SMALLEST = 1e-16;

// A minus sign: a hyphen could be separated from its number by a line break.
const scientific = (value) => value.toExponential(1).replace("-", "−");

/** "3.7e−13", similar to NumPy; "0.72" from a thousandth on. */
export function errorText(error) {
  if (error === null) return "not finite";
  if (error === 0) return "0";
  return error >= 1e-3 ? error.toFixed(error < 0.01 ? 4 : 2) : scientific(error);
}

/** A step size or a threshold: 1e−10, 0.005. */
export const powerText = (value) =>
  value >= 1e-3 ? String(Number(value.toPrecision(2))) : scientific(value).replace(".0e", "e");

/** Whether an error is below its threshold; null means not finite. */
export const passes = (error, threshold) => error !== null && error < threshold;

/** The greatest of some errors; null if one of them is not finite. */
export const worst = (errors) => (errors.includes(null) ? null : Math.max(...errors));

/**
 * How dark an error is, from 0 to 1, and whether it fails. The shades on the two sides of the
 * threshold are clearly apart, so that an error just above it cannot be mistaken for one just
 * below.
 */
function shade(error, threshold) {
  const fails = !passes(error, threshold);
  const size = Math.log10(Math.min(Math.max(error ?? 1, SMALLEST), 1));
  const edge = Math.log10(threshold);
  const least = Math.log10(SMALLEST);
  const strength = fails ? (size - edge) / -edge : (size - least) / (edge - least);
  return { fails, strength: Math.min(Math.max(strength, 0), 1) };
}

/** The colour of an error: grey below the threshold, the accent colour above. */
export function colourOf(error, threshold, colours) {
  const { fails, strength } = shade(error, threshold);
  return fails
    ? mix(colours.card, colours.accent, 0.5 + 0.5 * strength)
    : mix(colours.card, colours.soft, 0.07 + 0.38 * strength);
}

const parts = (colour) =>
  colour
    .match(/[\d.]+/g)
    .slice(0, 3)
    .map(Number);

function mix(from, to, share) {
  const [a, b] = [parts(from), parts(to)];
  return `rgb(${a.map((part, i) => Math.round(part + (b[i] - part) * share)).join(", ")})`;
}
