/** Light or dark: the system's preference until the user chooses; the choice is stored. */

const KEY = "hurrah-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
/** @type {Set<(theme: string) => void>} */
const watchers = new Set();

/** The theme in use: "light" or "dark". */
export const theme = () =>
  document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");

/** Switch to the other theme and store the choice. */
export function toggleTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  for (const each of document.querySelectorAll("meta[data-theme]")) {
    each.setAttribute("media", each.getAttribute("data-theme") === next ? "all" : "not all");
  }
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage may be blocked; the choice then lasts for this page only.
  }
  announce();
}

/**
 * Call `show` whenever the theme changes.
 *
 * @param {(theme: string) => void} show
 */
export const onTheme = (show) => watchers.add(show);

const announce = () => watchers.forEach((show) => show(theme()));
system.addEventListener("change", announce);

const NAMES = {
  ink: "--ink",
  soft: "--soft",
  line: "--line",
  card: "--card",
  paper: "--paper",
  band: "--band",
  accent: "--accent",
  accentInk: "--accent-ink",
  bad: "--bad",
  own: "--series-2",
  seeds: "--series-3",
};

/**
 * The colours of a theme as plain values for the chart, where custom properties cannot be used.
 *
 * @param {"light" | "dark"} [scheme] by default the page's own.
 */
export function colours(scheme) {
  const resolved = resolve(NAMES, scheme);
  resolved.bandFill = resolved.band.replace(/^rgb\((.+)\)$/, "rgba($1, 0.55)");
  resolved.ownFill = resolved.own.replace(/^rgb\((.+)\)$/, "rgba($1, 0.14)");
  resolved.seedsFill = resolved.seeds.replace(/^rgb\((.+)\)$/, "rgba($1, 0.22)");
  return resolved;
}

/**
 * The values of custom properties in a theme, by any names.
 *
 * @param {Record<string, string>} names name to custom property.
 * @param {"light" | "dark"} [scheme] by default the page's own.
 */
export function resolve(names, scheme) {
  const probe = document.createElement("i");
  probe.hidden = true;
  // In forced-colours mode all values would otherwise be the same system colour.
  probe.style.setProperty("forced-color-adjust", "none");
  if (scheme) probe.style.colorScheme = scheme;
  document.body.append(probe);
  /** @type {Record<string, string>} */
  const resolved = {};
  for (const [name, property] of Object.entries(names)) {
    probe.style.color = `var(${property})`;
    resolved[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return resolved;
}
