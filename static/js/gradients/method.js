/** The reference's code beside the equations: that of the cell in the form is shown. */

/** Show the layer of one cell. */
export function showMethod(cell) {
  /** @type {NodeListOf<HTMLElement>} */
  const layers = document.querySelectorAll("[data-method]");
  for (const parts of layers) {
    parts.hidden = parts.dataset.method !== cell;
  }
}
