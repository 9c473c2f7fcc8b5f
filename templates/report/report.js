/* The script of a saved report: the interactive curve, and the switch between light and dark. */
"use strict";

(() => {
  const EPOCH_LABEL_PX = 58;
  const root = document.documentElement;
  const colour = (name) => getComputedStyle(root).getPropertyValue(`--${name}`).trim();
  const resolved = (name) => {
    const probe = document.body.appendChild(document.createElement("i"));
    probe.style.color = colour(name);
    const { color } = getComputedStyle(probe);
    probe.remove();
    return color;
  };

  /** Give each part of the figure the colour of its name in the present theme. */
  function dressed(figure) {
    const [ink, soft, line, band, accent] = ["ink", "soft", "line", "band", "accent"].map(resolved);
    const { data, layout } = structuredClone(figure);
    for (const trace of data) {
      const own = trace.name === "band" ? band : accent;
      if (trace.fillcolor) trace.fillcolor = own;
      if (trace.line) trace.line.color = own;
      if (trace.marker) trace.marker.color = own;
    }
    for (const shape of layout.shapes) shape.line.color = shape.name === "epoch" ? line : soft;
    // On a narrow screen only some of the epochs have a label.
    const epochs = layout.annotations.filter(({ name }) => name === "epoch");
    const every = Math.ceil((epochs.length * EPOCH_LABEL_PX) / (chart.clientWidth - 120));
    const omitted = new Set(epochs.filter((_, index) => index % every));
    layout.annotations = layout.annotations.filter((each) => !omitted.has(each));
    for (const { name, font } of layout.annotations) font.color = name === "lowest" ? ink : soft;
    layout.font.color = soft;
    layout.xaxis.gridcolor = line;
    layout.yaxis.gridcolor = line;
    layout.hoverlabel = { bgcolor: resolved("card"), bordercolor: line, font: { color: ink } };
    return { data, layout };
  }

  const chart = document.getElementById("chart");
  let draw = () => {};
  if (chart && window.Plotly) {
    const figure = JSON.parse(document.getElementById("figure").textContent);
    const config = { responsive: true, displaylogo: false, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
    draw = () => {
      const { data, layout } = dressed(figure);
      window.Plotly.react(chart, data, layout, config);
    };
    chart.hidden = false;
    root.classList.add("interactive");
    draw();
  }

  const dark = matchMedia("(prefers-color-scheme: dark)");
  const button = document.getElementById("theme");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : dark.matches);
  const show = () => {
    button.textContent = isDark() ? "Light" : "Dark";
    draw();
  };
  button.hidden = false;
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    show();
  });
  dark.addEventListener("change", show);
  show();
})();
