/** Plotly comes as a classic script of a megabyte: no page must wait for it. */

// The page's policy lets no string become markup or a script's address, but for what is named here:
// Plotly's own address, and the empty string with which Plotly clears an element.
window.trustedTypes?.createPolicy("default", {
  createHTML: (html) => (html === "" ? html : null),
  createScriptURL: (url) => (url === document.body.dataset.plotly ? url : null),
});

let loading = null;

/** @returns {Promise<Object>} Plotly, once it is there; however often it is asked for. */
export function loadPlotly() {
  loading ??= new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.plotly;
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => reject(new Error("Plotly could not be loaded")));
    document.head.append(script);
  });
  return loading;
}
