/** The table of a check as text for a report. Pure functions. */

const HEADS = ["parameter", "shape", "complex step", "central difference", "result"];

/** @type {Record<string, (check: any, about: string) => string>} */
const FORMATS = { markdown, csv, latex };

/**
 * The table of a check in one of FORMATS, with a description of the network.
 *
 * @param {string} format
 * @param {any} check
 * @param {string} about
 */
export const tableText = (format, check, about) => FORMATS[format](check, about);

/** @param {number | null} error null: not finite. */
const errorOf = (error) => {
  if (error === null) return "not finite";
  return error === 0 ? "0" : error.toExponential(1);
};

/** @param {any} check @param {(name: string) => string} named @returns {string[][]} */
const rowsOf = ({ parameters }, named = (name) => name) =>
  parameters.map(({ name, shape, complex_step: complex, central_difference: central, passed }) => [
    named(name),
    shape.join(" x "),
    errorOf(complex),
    errorOf(central),
    passed ? "correct" : "wrong",
  ]);

/** @type {(check: any, about: string) => string} */
function markdown(check, about) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(" | ")} |`;
  const rule = line(["---", "---", "---:", "---:", "---"]);
  const rows = rowsOf(check).map(line);
  return [`Greatest relative errors: ${about}`, "", line(HEADS), rule, ...rows, ""].join("\n");
}

/** @type {(check: any) => string} */
function csv(check) {
  const lines = [HEADS, ...rowsOf(check)].map((cells) => cells.join(","));
  return `${lines.join("\r\n")}\r\n`;
}

/** @type {(check: any, about: string) => string} */
function latex(check, about) {
  const power = (/** @type {string} */ text) =>
    text.replace(/^([\d.]+)e([+-]\d+)$/u, (_, digits, exponent) =>
      `$${digits} \\times 10^{${Number(exponent)}}$`,
    );
  const named = (/** @type {string} */ name) =>
    name.length > 1 ? `$${name[0]}_{${name.slice(1)}}$` : `$${name}$`;
  const rows = rowsOf(check, named).map(
    ([name, shape, ...rest]) =>
      `  ${[name, `$${shape.replace(" x ", " \\times ")}$`, ...rest.map(power)].join(" & ")} \\\\`,
  );
  return [
    `% Greatest relative errors: ${about}`,
    "\\begin{tabular}{llrrl}",
    "  \\hline",
    `  ${HEADS.join(" & ")} \\\\`,
    "  \\hline",
    ...rows,
    "  \\hline",
    "\\end{tabular}",
    "",
  ].join("\n");
}
