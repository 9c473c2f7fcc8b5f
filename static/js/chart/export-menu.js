/** The curve to take away: as a picture, a drawing, a table; and a link to the view of it. */

import { lossesFile } from "../net/api.js";
import { urlOf } from "../state/url-state.js";
import { el, find } from "../lib/dom.js";
import { scalesOf } from "../curve/scales.js";
import { SIZE, exportFigure, csvOf } from "./export.js";
import { popover } from "../ui/popover.js";
import { toast } from "../ui/toasts.js";

const PNG_SCALE = 2;

/**
 * @param {Object} store
 * @param {Chart} chart
 */
export function mountExportMenu(store, chart) {
  const menu = popover(find("#export-open"), find("#export-panel"));
  const csv = find("#export-losses");
  csv.addEventListener("click", () => menu.close());
  store.watch(
    (state) => [state.runId],
    (runId) => {
      if (runId) csv.href = lossesFile(runId);
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

/** Have Plotly draw the chart once more, on paper and with its title, for a file. */
async function saveImage(state, chart, format) {
  const figure = chart.figure();
  if (!figure) return;
  const request = exportFigure(state, figure);
  const options = { ...SIZE, format, scale: format === "png" ? PNG_SCALE : 1 };
  const address = await figure.plotly.toImage(request, options);
  download(blobOf(address), `${nameOf(state)}.${format}`);
}

/** What a data: address holds; the page's policy lets nobody fetch one. */
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
  // The download reads it after the click; a minute is more than enough.
  setTimeout(() => URL.revokeObjectURL(href), 60_000);
}

async function copyLink(state) {
  const address = new URL(urlOf(state), location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    toast("The link to this view is copied.");
  } catch {
    // Without a secure context there is no clipboard: the address bar has the same.
    history.replaceState(null, "", urlOf(state));
    toast("It could not be copied; the address of this page is the link.");
  }
}
