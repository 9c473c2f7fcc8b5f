/** Light or dark: the system's preference until the reader chooses, then that, remembered. */

const KEY = "hurrah-theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const watchers = new Set();

/** "light" or "dark", as the page now stands. */
export const theme = () =>
  document.documentElement.dataset.theme ?? (system.matches ? "dark" : "light");

/** Turn to the other theme and remember it. */
export function toggleTheme() {
  const next = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // Storage closed to us: the choice then holds for this page only.
  }
  announce();
}

/** Call `show` whenever the theme changes. */
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
};

/**
 * A theme's colours as plain values, for the chart; custom properties alone stay unresolved.
 *
 * @param {"light" | "dark"} [scheme] the page's own where it is left out.
 */
export function colours(scheme) {
  const resolved = resolve(NAMES, scheme);
  resolved.bandFill = resolved.band.replace(/^rgb\((.+)\)$/, "rgba($1, 0.55)");
  return resolved;
}

/** The values that custom properties, by any names, have in a theme, or in the page's own. */
export function resolve(names, scheme) {
  const probe = document.createElement("i");
  probe.hidden = true;
  probe.style.forcedColorAdjust = "none"; // or all would be one, where the system chooses colours
  if (scheme) probe.style.colorScheme = scheme;
  document.body.append(probe);
  const resolved = {};
  for (const [name, property] of Object.entries(names)) {
    probe.style.color = `var(${property})`;
    resolved[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return resolved;
}
