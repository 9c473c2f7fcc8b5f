// A classic script in the head: the theme must be set before the first paint.
(() => {
  try {
    const theme = localStorage.getItem("hurrah-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be blocked (private windows); the system's preference then applies.
  }
})();
