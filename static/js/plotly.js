/** Plotly comes as a classic script of a megabyte: no page must wait for it. */

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
