/** A problem in words and in code. Pure functions. */

import { MEANINGS } from "../gradients/parameter-meanings.js";

/** @typedef {import("./npz.js").NpzArray} NpzArray */

const PARAMETER = /^[UWbdV]\d*$|^c$/;
const TEXT = ["x", "y"];
const LOSS = "loss";

/** The order of the gates in the rows of U, W and b. @type {Record<string, string>} */
const ROWS = { gru: "r, z, n", lstm: "g, i, f, o" };

/**
 * The arrays of a problem by what they are: parameters, characters and initial states.
 *
 * @param {NpzArray[]} arrays
 */
export function partsOf(arrays) {
  const parameters = arrays.filter(({ name }) => PARAMETER.test(name));
  const states = arrays.filter(
    ({ name, dtype }) =>
      dtype === "<f8" && !PARAMETER.test(name) && !TEXT.includes(name) && name !== LOSS,
  );
  const loss = arrays.find(({ name }) => name === LOSS);
  return { parameters, states, loss };
}

/**
 * What a parameter is: "from the previous state; rows r, z, n".
 *
 * @param {string} name
 * @param {string} cell
 */
export function meaningOf(name, cell) {
  const symbol = name[0];
  const meaning =
    symbol === "U" && Number(name.slice(1)) > 1 ? "from the layer below" : MEANINGS[symbol];
  const stacked = cell in ROWS && "UWb".includes(symbol);
  return stacked ? `${meaning}; rows of ${ROWS[cell]}` : meaning;
}

/**
 * A shape in symbols: "3m × K".
 *
 * @param {NpzArray} parameter
 * @param {number} hidden m.
 */
export function symbolicShape({ name, shape }, hidden) {
  const symbol = name[0];
  if (symbol === "V") return "K × m";
  if (symbol === "c") return "K";
  const blocks = shape[0] / hidden;
  const rows = blocks === 1 ? "m" : `${blocks}m`;
  if (symbol === "U") return `${rows} × ${Number(name.slice(1)) > 1 ? "m" : "K"}`;
  return symbol === "W" ? `${rows} × m` : rows;
}

/** "20 × 30" @type {(shape: number[]) => string} */
export const shapeText = (shape) => shape.join(" × ");

/** @type {(names: string[]) => string} */
const quoted = (names) => names.map((name) => `"${name}"`).join(", ");

/**
 * Python that loads a problem, calls the student's function, and saves the gradients.
 *
 * @param {NpzArray[]} arrays
 */
export function starterCode(arrays) {
  const parts = partsOf(arrays);
  const names = parts.parameters.map(({ name }) => name);
  const states = parts.states.map(({ name }) => name);
  const lines = names.every(({ length }) => length === 1)
    ? codeOfOneLayer(names, states)
    : codeOfLayers(names, states);
  return `import numpy as np\n\nproblem = np.load("problem.npz")\n${lines}`;
}

/** @type {(names: string[], states: string[]) => string} */
function codeOfOneLayer(names, states) {
  const inputs = [...TEXT, ...states];
  const gradients = names.map((name) => `d${name}`);
  const saved = names.map((name) => `${name}=d${name}`);
  return `\
${names.join(", ")} = (problem[name] for name in "${names.join("")}")
${inputs.join(", ")} = (problem[name] for name in [${quoted(inputs)}])

# Your code: the loss, summed over the sequence, and its gradients.
loss, ${gradients.join(", ")} = my_gradients(
    ${[...names, ...inputs].join(", ")}
)

print("loss", loss, "expected", problem["loss"])
np.savez(
    "my_gradients.npz", loss=loss, ${saved.join(", ")}
)
`;
}

/**
 * With several layers there are too many names for variables.
 *
 * @type {(names: string[], states: string[]) => string}
 */
const codeOfLayers = (names, states) => `\
names = [${quoted(names)}]
parameters = {name: problem[name] for name in names}
states = {name: problem[name] for name in [${quoted(states)}]}

# Your code: the loss, summed over the sequence, and its gradients by name.
loss, gradients = my_gradients(
    parameters, problem["x"], problem["y"], states
)

print("loss", loss, "expected", problem["loss"])
np.savez("my_gradients.npz", loss=loss, **gradients)
`;

/** What the file has besides the parameters. @type {(states: string[]) => string} */
export const inputsText = (states) =>
  "x and y are the T characters that are read and the T that follow them, as indices from 0 to " +
  `K − 1. The state before the sequence is ${states.join(", ")}.`;

/**
 * A problem in words: "rnn, 20 units, sequence of 10, seed 0".
 *
 * @param {Record<string, string>} query
 */
export function problemText({ cell, layers, hidden_size: hidden, sequence_length: length, seed }) {
  return [
    cell,
    Number(layers) > 1 ? `${layers} layers` : "",
    `${hidden} units`,
    `sequence of ${length}`,
    `seed ${seed}`,
  ]
    .filter(Boolean)
    .join(", ");
}
