/**
 * The groups of controls that a lesson can hide, by page. A group of one name is the same choice
 * on all pages. `controls` is a selector, `keys` are the shortcuts that go with the controls.
 */

import { disableShortcuts } from "../ui/shortcuts.js";

/**
 * @typedef {Object} ControlGroup
 * @property {string} name as in the link.
 * @property {string} label
 * @property {string} controls
 * @property {string[]} [keys]
 */

/**
 * @param {string} name
 * @param {string} label
 * @param {string} controls
 * @param {string[]} [keys]
 * @returns {ControlGroup}
 */
const group = (name, label, controls, keys = []) => ({ name, label, controls, keys });

const otherPages = (keys = ["w"]) =>
  group("pages", "Links to the other pages", ".top nav, .key-more, .controls .step-inside", keys);

/** @type {Record<string, ControlGroup[]>} */
const GROUPS = {
  Watch: [
    group(
      "training",
      "Pause, Step, pace and Stop",
      "#pause, .controls > .joined:has(> #step), .controls .pace, #stop, " +
        "#notice .button-small:not(.button-square)",
      [" ", "s"],
    ),
    group("new-run", "New run", "#new-run", ["n"]),
    group("runs", "Choice of the run", ".top > .anchor:has(> #run-switch)"),
    group(
      "checkpoints",
      "Checkpoint and Fork",
      ".controls > .joined:has(> #checkpoint)",
      ["c"],
    ),
    group(
      "time",
      "Timeline of the samples",
      ".timeline, #text-mode, #earlier, #pin-away",
      ["ArrowLeft", "ArrowRight", "Home", "End", "d"],
    ),
    group("tabs", "Tabs Writing and Reading", "#card-tabs"),
    group("words", "Watched words", "#words-open, #words-more"),
    group("passages", "Writing a passage", "#write, .controls-end > .hint", ["p", "k"]),
    group(
      "chart",
      "Axes, seeds, own losses and follow",
      ".curve-tabs, .quick-scale, .switches > .anchor:not(:has(> #export-open)), #follow",
      ["f", "l", "+", "=", "-"],
    ),
    group("metrics", "Charts of the metrics", ".metrics-corner, #metric-charts"),
    group("notes", "Notes", "#pin-card .button-small:has(> kbd)", ["m"]),
    group(
      "export",
      "Export, Report and the link to the view",
      ".switches > .anchor:has(> #export-open), #copy-link, #report-open",
    ),
    otherPages(["r", "g"]),
  ],
  Inside: [
    group("runs", "Choice of the run", ".inside-run"),
    group("time", "Live and Snapshot", ".inside-source"),
    group("tabs", "Tabs", "#inside-tabs"),
    group("text", "Text to read", "#inside-text-field"),
    otherPages(),
  ],
  Compare: [
    group("runs", "Choice of the runs", ".compare-picker"),
    group("chart", "Switches below the chart", ".compare-switches"),
    otherPages(),
  ],
  Wall: [group("runs", "Search, filters and sorting", ".wall-tools"), otherPages()],
  Passages: [group("runs", "Choice of the network, download", ".gallery-tools"), otherPages()],
  Sweeps: [
    group("new-run", "New sweep", ".sweeps-head .button, .empty-actions"),
    group("training", "Pause, Stop and Delete", ".sweep-actions"),
    otherPages(),
  ],
  Gradients: [
    group("settings", "Settings of the network", "#check-form"),
    group("mistakes", "Mistakes to make", ".check-why"),
    otherPages(),
  ],
  Course: [group("tabs", "Links between the pages of the course", ".course-pages"), otherPages()],
};

/** The groups that are all of the bar below the page. */
const BAR = ["training", "checkpoints", "passages", "export"];

/** The keys that the list of shortcuts writes differently. @type {Record<string, string>} */
const WRITTEN = { " ": "space", ArrowLeft: "←", ArrowRight: "→", "-": "−" };

/** The groups of this page. */
export const groupsHere = () => GROUPS[document.body.dataset.view ?? ""] ?? [];

/** @type {CSSStyleSheet | null} */
let sheet = null;

/**
 * Hide these groups, and show all others. Hidden groups are not displayed, so that neither the
 * keyboard nor a screen reader reaches them.
 *
 * @param {string[]} names
 */
export function hideGroups(names) {
  const hidden = groupsHere().filter(({ name }) => names.includes(name));
  if (!sheet) {
    sheet = new CSSStyleSheet();
    document.adoptedStyleSheets.push(sheet);
  }
  const keys = hidden.flatMap((each) => each.keys ?? []);
  const rows = keys.map((key) => `#keys [data-keys~="${WRITTEN[key] ?? key}"]`);
  const bar = BAR.every((name) => names.includes(name)) ? ["#controls"] : [];
  const selectors = [...hidden.map(({ controls }) => controls), ...rows, ...bar].join(", ");
  sheet.replaceSync(selectors && `:is(${selectors}) { display: none !important; }`);
  disableShortcuts(keys);
}
