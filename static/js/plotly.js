/** Plotly comes as a classic script of several megabytes: no page must wait for it. */

/** @returns {Promise<Object>} Plotly, once it is there. */
export function loadPlotly() {
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = document.body.dataset.plotly;
    script.addEventListener("load", () => resolve(window.Plotly));
    script.addEventListener("error", () => reject(new Error("Plotly could not be loaded")));
    document.head.append(script);
  });
}
