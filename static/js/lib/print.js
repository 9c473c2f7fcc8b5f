/** Drawings for paper: charts are drawn again in the light theme and at the width of a page. */

/** @type {Set<() => void>} */
const drawings = new Set();

/**
 * Call `draw` just before the page is printed, when it has its size on paper, and afterwards. It
 * must draw at once, since the browser does not wait.
 *
 * @param {() => void} draw
 */
export const onPrint = (draw) => drawings.add(draw);

/** Whether the page is laid out for paper. */
export const isPrinting = () => document.documentElement.hasAttribute("data-printing");

const drawAll = () => drawings.forEach((draw) => draw());

window.addEventListener("beforeprint", () => {
  document.documentElement.setAttribute("data-printing", "");
  drawAll();
});
window.addEventListener("afterprint", () => {
  document.documentElement.removeAttribute("data-printing");
  drawAll();
});
