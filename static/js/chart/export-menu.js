/** Export of the curve as PNG, SVG or CSV, of the whole run, and a link to the current view. */

import { lossesFile, runFile } from "../net/api.js";
import { urlOf } from "../state/url-state.js";
import { el, find } from "../lib/dom.js";
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
  const [csv, whole, textless] = ["losses", "run", "run-textless"].map((name) =>
    find(`#export-${name}`),
  );
  for (const link of [csv, whole, textless]) link.addEventListener("click", () => menu.close());
  store.watch(
    (state) => [state.runId],
    (runId) => {
      if (runId) {
        csv.href = lossesFile(runId);
        whole.href = runFile(runId, true);
        textless.href = runFile(runId, false);
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

function download(blob, name) {
  const href = URL.createObjectURL(blob);
  const link = el("a", { href, download: name });
  link.click();
  // The browser reads the URL after the click; a minute is more than enough.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

async function copyLink(state) {
  const address = new URL(urlOf(state), location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    toast("Link copied.");
  } catch {
    // There is no clipboard without a secure context; the address bar has the same URL.
    history.replaceState(null, "", urlOf(state));
    toast("The link could not be copied. You can copy it from the address bar.");
  }
}
