/**
 * Plotly is a classic script of one megabyte, so a page executes it when it draws its first chart,
 * or while it waits for one.
 */

// Trusted Types: no string becomes markup or the URL of a script, with two exceptions. Plotly's own
// URL is allowed, and the empty string, with which Plotly clears an element.
window.trustedTypes?.createPolicy("default", {
  createHTML: (/** @type {string} */ html) => (html === "" ? html : null),
  createScriptURL: (/** @type {string} */ url) =>
    url === document.body.dataset.plotly ? url : null,
});

/** @type {Promise<any> | null} */
let loading = null;

/** @returns {Promise<any>} Plotly; it is loaded once, however often this is called. */
export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.plotly ?? "";
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => reject(new Error("Plotly could not be loaded")));
    document.head.append(script);
  });
  return loading;
}
