/** A table as Markdown, CSV or LaTeX. Pure functions. */

/** Text in one line. @param {string} text */
const inOneLine = (text) => text.replace(/\s+/gu, " ").trim();

/** @param {string} text */
const markdownCell = (text) => inOneLine(text).replace(/[\\`*_[\]<>|~&$]/gu, "\\$&");

/** @param {TextTable} table */
function markdown({ caption, heads, align, rows }) {
  const line = (/** @type {string[]} */ cells) => `| ${cells.join(" | ")} |`;
  const rule = line([...align].map((side) => (side === "r" ? "---:" : "---")));
  const lines = [heads, ...rows].map((cells) => line(cells.map(markdownCell)));
  return [markdownCell(caption), "", lines[0], rule, ...lines.slice(1), ""].join("\n");
}

/**
 * A spreadsheet would compute a text that starts like a formula, so that one gets an apostrophe.
 *
 * @param {string} text
 */
function csvCell(text) {
  const isFormula = /^[=+\-@\t\r]/u.test(text) && Number.isNaN(Number(text));
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** By RFC 4180. @param {TextTable} table */
const csv = ({ heads, rows }) =>
  [heads, ...rows].map((cells) => `${cells.map(csvCell).join(",")}\r\n`).join("");

/** @type {Record<string, string>} */
const LATEX = {
  "\\": "\\textbackslash{}",
  "~": "\\textasciitilde{}",
  "^": "\\textasciicircum{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  "–": "--",
  "…": "\\ldots{}",
  // At the start of a row these would be arguments of the line break before it.
  "[": "{[}",
  "*": "{*}",
};

/** @param {string} text */
const latexText = (text) =>
  inOneLine(text).replace(/[\\~^<>|–…[*{}#$%&_]/gu, (each) => LATEX[each] ?? `\\${each}`);

/** A number such as 1.2e-8 as a power of ten; other text as it is. @param {string} text */
function latexCell(text) {
  const power = /^([\d.]+)e([+-]\d+)$/u.exec(text);
  return power ? `$${power[1]} \\times 10^{${Number(power[2])}}$` : latexText(text);
}

/** @param {TextTable} table */
function latex({ caption, heads, align, rows, latex: formulas = [] }) {
  const line = (/** @type {string[]} */ cells) => `  ${cells.join(" & ")} \\\\`;
  return [
    `% ${inOneLine(caption)}`,
    `\\begin{tabular}{${align}}`,
    "  \\hline",
    line(heads.map(latexText)),
    "  \\hline",
    ...rows.map((cells) => line(cells.map((cell, i) => (formulas[i] ?? latexCell)(cell)))),
    "  \\hline",
    "\\end{tabular}",
    "",
  ].join("\n");
}

/** @type {Record<string, (table: TextTable) => string>} */
const FORMATS = { markdown, csv, latex };

/** A table in one of FORMATS. @type {(format: string, table: TextTable) => string} */
export const tableText = (format, table) => FORMATS[format](table);
