/** The curve to take away: as a picture, a drawing, a table; and a link to the view of it. */

import { lossesFile } from "../net/api.js";
import { addressOf } from "../state/url-state.js";
import { el, find } from "../lib/dom.js";
import { pictureOf } from "../curve/scales.js";
import { SIZE, exported, table } from "./export.js";
import { popover } from "../ui/popover.js";
import { toast } from "../ui/toasts.js";

const SCALE = 2;

/**
 * @param {Object} store
 * @param {Chart} chart
 */
export function mountSaving(store, chart) {
  const menu = popover(find("#save-open"), find("#save-panel"));
  const csv = find("#losses-csv");
  csv.addEventListener("click", () => menu.close());
  store.watch(
    (state) => [state.runId],
    (runId) => {
      if (runId) csv.href = lossesFile(runId);
      find("#save-open").disabled = !runId;
    },
  );
  const onClick = (id, deed) =>
    find(id).addEventListener("click", () => {
      menu.close();
      deed();
    });
  onClick("#save-png", () => savePicture(store.get(), chart, "png"));
  onClick("#save-svg", () => savePicture(store.get(), chart, "svg"));
  onClick("#save-csv", () => {
    const state = store.get();
    const text = table(state, pictureOf(state, chart.size));
    download(new Blob([text], { type: "text/csv" }), `${nameOf(state)}-shown.csv`);
  });
  find("#copy-link").addEventListener("click", () => copyLink(store.get()));
}

/** Have Plotly draw the chart once more, on paper and with its title, for a file. */
async function savePicture(state, chart, format) {
  const picture = chart.picture();
  if (!picture) return;
  const figure = exported(state, picture);
  const options = { ...SIZE, format, scale: format === "png" ? SCALE : 1 };
  const address = await picture.plotly.toImage(figure, options);
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
  const address = new URL(addressOf(state), location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    toast("The link to this view is copied.");
  } catch {
    // Without a secure context there is no clipboard: the address bar has the same.
    history.replaceState(null, "", addressOf(state));
    toast("It could not be copied; the address of this page is the link.");
  }
}
