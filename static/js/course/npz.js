/** Reads a NumPy archive (`.npz`): a ZIP file with one `.npy` file for each array. */

/**
 * @typedef {{name: string, shape: number[], dtype: string, bytes: Uint8Array<ArrayBuffer>}}
 *   NpzArray
 */

// PKWARE's APPNOTE.TXT, sections 4.3.7, 4.3.12 and 4.3.16.
const LOCAL_HEADER_BYTES = 30;
const DIRECTORY_HEADER_BYTES = 46;
const END_BYTES = 22;
const END_SIGNATURE = 0x06054b50;
const STORED = 0;

/**
 * The arrays of an archive, in its order. Other files in it are left out.
 *
 * @param {ArrayBuffer} archive
 * @returns {Promise<NpzArray[]>}
 */
export async function readNpz(archive) {
  const arrays = [];
  for (const { name, method, start, length } of directory(archive)) {
    if (!name.endsWith(".npy")) continue;
    const file = new Uint8Array(archive, start, length);
    const bytes = method === STORED ? file : await inflate(file);
    arrays.push(readNpy(name.slice(0, -".npy".length), bytes));
  }
  return arrays;
}

/** The number in an array with one entry of type float64. @type {(array: NpzArray) => number} */
export const scalar = ({ bytes }) =>
  new DataView(bytes.buffer, bytes.byteOffset).getFloat64(0, true);

/** @param {ArrayBuffer} archive */
function directory(archive) {
  const view = new DataView(archive);
  const end = endOf(view);
  const files = [];
  let at = view.getUint32(end + 16, true);
  for (let left = view.getUint16(end + 10, true); left > 0; left -= 1) {
    const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) =>
      view.getUint16(at + offset, true),
    );
    const local = view.getUint32(at + 42, true);
    const localNames = view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    files.push({
      name: textOf(new Uint8Array(archive, at + DIRECTORY_HEADER_BYTES, nameLength)),
      method: view.getUint16(at + 10, true),
      start: local + LOCAL_HEADER_BYTES + localNames,
      length: view.getUint32(at + 20, true),
    });
    at += DIRECTORY_HEADER_BYTES + nameLength + extraLength + commentLength;
  }
  return files;
}

/** Where the end of the directory is: the last bytes, but for a comment. @param {DataView} view */
function endOf(view) {
  for (let at = view.byteLength - END_BYTES; at >= 0; at -= 1) {
    if (view.getUint32(at, true) === END_SIGNATURE) return at;
  }
  throw new Error("not a ZIP file");
}

/** @type {(bytes: Uint8Array) => string} */
const textOf = (bytes) => new TextDecoder().decode(bytes);

/** @param {Uint8Array<ArrayBuffer>} bytes */
async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * An array in NumPy's format 1.0: six bytes of signature, two of version, the length of the header,
 * and the header, a Python dictionary.
 *
 * @param {string} name
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @returns {NpzArray}
 */
function readNpy(name, bytes) {
  const start = 10 + new DataView(bytes.buffer, bytes.byteOffset).getUint16(8, true);
  const header = textOf(bytes.subarray(10, start));
  const shape = header.match(/'shape': \(([^)]*)\)/)?.[1] ?? "";
  return {
    name,
    shape: (shape.match(/\d+/g) ?? []).map(Number),
    dtype: header.match(/'descr': '([^']*)'/)?.[1] ?? "",
    bytes: bytes.subarray(start),
  };
}
