// A classic script in the head: the theme must be set before the first paint.
(() => {
  try {
    const theme = localStorage.getItem("hurrah-theme");
    if (theme !== "light" && theme !== "dark") return;
    document.documentElement.dataset.theme = theme;
    // The colour around the page, as in static/js/lib/theme.js.
    for (const each of document.querySelectorAll("meta[data-theme]")) {
      each.setAttribute("media", each.getAttribute("data-theme") === theme ? "all" : "not all");
    }
  } catch {
    // Storage may be blocked (private windows); the system's preference then applies.
  }
})();
