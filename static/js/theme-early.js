// A classic script in the head: the chosen theme must stand before the first paint.
(() => {
  try {
    const theme = localStorage.getItem("hurrah-theme");
    if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be closed to us (private windows): the system's preference then holds.
  }
})();
