/** The tables of relative errors for a report. Pure functions. */

/** An error as a table has it; null: not finite. @type {(error: number | null) => string} */
export const errorCell = (error) => {
  if (error === null) return "not finite";
  return error === 0 ? "0" : error.toExponential(1);
};

/** The columns of the names and the shapes in LaTeX: "U2" as U with an index, "20 x 30". */
export const PARAMETER_LATEX = [
  (/** @type {string} */ name) =>
    name.length > 1 ? `$${name[0]}_{${name.slice(1)}}$` : `$${name}$`,
  (/** @type {string} */ shape) => `$${shape.replace(" x ", " \\times ")}$`,
];

/** The table of a gradient check. @type {(check: any, about: string) => TextTable} */
export const checkTable = ({ parameters }, about) => ({
  caption: `Greatest relative errors: ${about}`,
  heads: ["parameter", "shape", "complex step", "central difference", "result"],
  align: "llrrl",
  latex: PARAMETER_LATEX,
  rows: parameters.map(
    ({ name, shape, complex_step: complex, central_difference: central, passed }) => [
      name,
      shape.join(" x "),
      errorCell(complex),
      errorCell(central),
      passed ? "correct" : "wrong",
    ],
  ),
});
