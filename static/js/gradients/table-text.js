/** A table of relative errors as text for a report. Pure functions. */

/**
 * A table: a caption, the head of each column, its alignment ("l" or "r"), and the cells. The first
 * column has the parameters' names, the second their shapes, such as "20 x 30".
 *
 * @typedef {{caption: string, heads: string[], align: string, rows: string[][]}} ErrorTable
 */

/** @type {Record<string, (table: ErrorTable) => string>} */
const FORMATS = { markdown, csv, latex };

/** A table in one of FORMATS. @type {(format: string, table: ErrorTable) => string} */
export const tableText = (format, table) => FORMATS[format](table);

/** An error as a table has it; null: not finite. @type {(error: number | null) => string} */
export const errorCell = (error) => {
  if (error === null) return "not finite";
  return error === 0 ? "0" : error.toExponential(1);
};

/** The table of a gradient check. @type {(check: any, about: string) => ErrorTable} */
export const checkTable = ({ parameters }, about) => ({
  caption: `Greatest relative errors: ${about}`,
  heads: ["parameter", "shape", "complex step", "central difference", "result"],
  align: "llrrl",
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

/** @type {(table: ErrorTable) => string} */
function markdown({ caption, heads, align, rows }) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(" | ")} |`;
  const rule = line([...align].map((side) => (side === "r" ? "---:" : "---")));
  return [caption, "", line(heads), rule, ...rows.map(line), ""].join("\n");
}

/** @type {(table: ErrorTable) => string} */
function csv({ heads, rows }) {
  const quoted = (/** @type {string} */ cell) => (cell.includes(",") ? `"${cell}"` : cell);
  return [heads, ...rows].map((cells) => `${cells.map(quoted).join(",")}\r\n`).join("");
}

/** @type {(table: ErrorTable) => string} */
function latex({ caption, heads, align, rows }) {
  const power = (/** @type {string} */ text) =>
    text.replace(
      /^([\d.]+)e([+-]\d+)$/u,
      (_, digits, exponent) => `$${digits} \\times 10^{${Number(exponent)}}$`,
    );
  const named = (/** @type {string} */ name) =>
    name.length > 1 ? `$${name[0]}_{${name.slice(1)}}$` : `$${name}$`;
  const lines = rows.map(([name, shape, ...rest]) =>
    [named(name), `$${shape.replace(" x ", " \\times ")}$`, ...rest.map(power)].join(" & "),
  );
  return [
    `% ${caption}`,
    `\\begin{tabular}{${align}}`,
    "  \\hline",
    `  ${heads.join(" & ")} \\\\`,
    "  \\hline",
    ...lines.map((line) => `  ${line} \\\\`),
    "  \\hline",
    "\\end{tabular}",
    "",
  ].join("\n");
}
