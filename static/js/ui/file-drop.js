/** Files dropped anywhere on the page. */

/**
 * @param {HTMLElement} target highlighted (`data-over`) while a file is dragged over the page.
 * @param {{wanted: () => boolean, over: () => void, drop: (file: File) => void,
 *   refuse: (files: number) => void}} on it takes one file at a time.
 */
export function onFileDropped(target, { wanted, over, drop, refuse }) {
  const carried = (event) => wanted() && event.dataTransfer?.types.includes("Files");

  document.addEventListener("dragover", (event) => {
    if (!carried(event)) return;
    event.preventDefault();
    over();
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
    if (files.length > 1) refuse(files.length);
    else if (files.length) drop(files[0]);
  });
}
