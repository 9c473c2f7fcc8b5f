/** Files that are chosen, or dropped anywhere on the page. */

/** Whether a file is an exported run. @type {(file: {name: string}) => boolean} */
export const isRunFile = ({ name }) => name.toLowerCase().endsWith(".hurrah");

const TABLES = ["text/csv", "application/vnd.ms-excel"]; // the second is that of Windows

/** Whether a file is a table. @type {(file: {name: string}) => boolean} */
export const isCsvFile = ({ name }) => name.toLowerCase().endsWith(".csv");

/** Whether a file has weights. @type {(file: {name: string}) => boolean} */
export const isWeightsFile = ({ name }) => /\.(npz|safetensors)$/i.test(name);

/**
 * @param {HTMLElement} target highlighted (`data-over`) while a file is dragged over the page.
 * @param {Object} on it takes one file at a time.
 * @param {() => boolean} on.wanted
 * @param {(file: File) => boolean} on.accepts
 * @param {(file: File) => void} on.drop
 * @param {() => void} [on.over] called while a file is dragged whose type the browser knows. It
 *   does not know that of a run, and tells no name before the file is dropped.
 * @param {(files: number) => void} [on.refuse] called with the number of files, if too many.
 */
export function onFileDropped(target, { wanted, accepts, drop, over, refuse }) {
  const carried = (event) => wanted() && event.dataTransfer?.types.includes("Files");

  document.addEventListener("dragover", (event) => {
    if (!carried(event)) return;
    event.preventDefault();
    // A table may be one of losses, for the chart that is under a form.
    const { type } = event.dataTransfer.items[0] ?? {};
    if (type && !TABLES.includes(type)) over?.();
    target.dataset.over = "true";
  });
  document.addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) delete target.dataset.over;
  });
  document.addEventListener("drop", (event) => {
    delete target.dataset.over;
    if (!carried(event)) return;
    event.preventDefault();
    const { files } = event.dataTransfer;
    if (files.length > 1) refuse?.(files.length);
    else if (files.length && accepts(files[0])) drop(files[0]);
  });
}

/**
 * @param {HTMLInputElement} input
 * @param {(file: File) => void} choose
 */
export function onFileChosen(input, choose) {
  input.addEventListener("change", () => {
    const file = input.files?.[0];
    input.value = ""; // the same file can be chosen again
    if (file) choose(file);
  });
}
