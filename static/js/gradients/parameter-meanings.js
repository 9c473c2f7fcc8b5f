/** The meaning of each parameter, by its symbol. @type {Record<string, string>} */
export const MEANINGS = {
  U: "from the input",
  W: "from the previous state",
  b: "bias of the state",
  d: "bias inside the reset gate",
  V: "from the state to the output",
  c: "bias of the output",
};
