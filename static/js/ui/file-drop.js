/** Files dropped anywhere on the page. */

/**
 * @param {HTMLElement} target highlighted (`data-over`) while a file is dragged over the page.
 * @param {{wanted: () => boolean, over: () => void, drop: (file: File) => void}} on
 */
export function onFileDropped(target, { wanted, over, drop }) {
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
    const [file] = event.dataTransfer.files;
    if (file) drop(file);
  });
}
