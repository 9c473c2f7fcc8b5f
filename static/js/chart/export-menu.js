/**
 * Export of a run: its curve as PNG, SVG or CSV, its samples and settings as JSON, the whole run as
 * one file, and a link to the current view.
 */

import { lossesFile, metricsFile, runFile, samplesFile, specFile } from "../net/api.js";
import { urlOf } from "../state/url-state.js";
import { find } from "../lib/dom.js";
import { download } from "../net/download.js";
import { scalesOf } from "../curve/scales.js";
import { SIZE, exportFigure, csvOf } from "./export.js";
import { popover } from "../ui/popover.js";
import { toast } from "../ui/toasts.js";

const PNG_SCALE = 2;

/**
 * @param {WatchStore} store
 * @param {import("./chart-view.js").ChartView} chart
 */
export function mountExportMenu(store, chart) {
  const menu = popover(find("#export-open"), find("#export-panel"));
  const files = {
    losses: lossesFile,
    metrics: metricsFile,
    samples: samplesFile,
    spec: specFile,
    run: (runId) => runFile(runId, true),
    "run-textless": (runId) => runFile(runId, false),
  };
  for (const name of [...Object.keys(files), "report"]) {
    find(`#export-${name}`).addEventListener("click", () => menu.close());
  }
  store.watch(
    (state) => [state.runId],
    (runId) => {
      for (const [name, address] of Object.entries(files)) {
        if (runId) find(`#export-${name}`).href = address(runId);
      }
      find("#export-open").disabled = !runId;
    },
  );
  const onClick = (id, action) =>
    find(id).addEventListener("click", () => {
      menu.close();
      action();
    });
  onClick("#export-png", () => saveImage(store.get(), chart, "png"));
  onClick("#export-svg", () => saveImage(store.get(), chart, "svg"));
  onClick("#export-csv", () => {
    const state = store.get();
    const text = csvOf(state, scalesOf(state, chart.size));
    download(new Blob([text], { type: "text/csv" }), `${nameOf(state)}-shown.csv`);
  });
  find("#copy-link").addEventListener("click", () => copyLink(store.get()));
}

/** Let Plotly draw the chart again with a title, for a file. */
async function saveImage(state, chart, format) {
  const figure = chart.figure();
  if (!figure) return;
  const request = exportFigure(state, figure);
  const options = { ...SIZE, format, scale: format === "png" ? PNG_SCALE : 1 };
  const address = await figure.plotly.toImage(request, options);
  download(blobOf(address), `${nameOf(state)}.${format}`);
}

/** The content of a data: URL; the Content-Security-Policy does not allow to fetch one. */
function blobOf(address) {
  const [, type, encoding, data] = /^data:([^;,]+)[^,]*?(;base64)?,(.*)$/su.exec(address);
  if (!encoding) return new Blob([decodeURIComponent(data)], { type });
  return new Blob([Uint8Array.from(atob(data), (byte) => byte.charCodeAt(0))], { type });
}

function nameOf({ run }) {
  const name = run.name.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "-");
  return `hurrah-${name.replace(/^-+|-+$/g, "") || run.id}`;
}

async function copyLink(state) {
  const address = new URL(urlOf(state) + location.hash, location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    toast("Link copied.");
  } catch {
    // There is no clipboard without a secure context; the address bar has the same URL.
    history.replaceState(null, "", urlOf(state) + location.hash);
    toast("The link could not be copied. You can copy it from the address bar.");
  }
}
