/** Reading the safetensors file in the page; docs/weights.md describes it. */

/** @typedef {Float32Array | Float64Array} Numbers row by row */

const HEADER_LENGTH_BYTES = 8;

/**
 * Read a safetensors file.
 *
 * @param {string} base64
 * @returns {{ arrays: Record<string, Numbers>, metadata: Record<string, string> }}
 * @throws {Error} when it is incomplete.
 */
export function readSafetensors(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  const headerLength = new DataView(bytes.buffer).getUint32(0, true);
  const start = HEADER_LENGTH_BYTES + headerLength;
  const header = JSON.parse(new TextDecoder().decode(bytes.subarray(HEADER_LENGTH_BYTES, start)));
  const { __metadata__: metadata, ...tensors } = header;
  /** @type {Record<string, Numbers>} */
  const arrays = {};
  for (const [name, { dtype, data_offsets: offsets }] of Object.entries(tensors)) {
    const [from, to] = offsets;
    // The header is padded so that every array is aligned.
    arrays[name] =
      dtype === "F64"
        ? new Float64Array(bytes.buffer, start + from, (to - from) / 8)
        : new Float32Array(bytes.buffer, start + from, (to - from) / 4);
  }
  return { arrays, metadata };
}
