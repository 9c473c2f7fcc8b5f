/** The button that switches between the light and the dark theme. */

import { find } from "../lib/dom.js";
import { onTheme, theme, toggleTheme } from "../lib/theme.js";

export function mountThemeToggle() {
  const button = find("#theme");
  const name = (now) =>
    button.setAttribute("aria-label", now === "dark" ? "Light theme" : "Dark theme");
  button.addEventListener("click", toggleTheme);
  onTheme(name);
  name(theme());
}
