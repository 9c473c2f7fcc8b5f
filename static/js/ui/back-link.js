/** The way back from the other pages to the run that was watched in this window. */

const KEY = "hurrah-watched";

/** Keep in mind which run is in view, for as long as the window is open. */
export function rememberRun(id) {
  try {
    if (id) sessionStorage.setItem(KEY, id);
    else sessionStorage.removeItem(KEY);
  } catch {
    // Storage closed to us: the way back then leads to the newest run.
  }
}

/** Let the links to the page that watches lead to that run. */
export function mountBackLink() {
  const id = rememberedRun();
  if (!id) return;
  for (const link of document.querySelectorAll("a[href='/']")) {
    link.setAttribute("href", `/?run=${encodeURIComponent(id)}`);
  }
}

function rememberedRun() {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    return null;
  }
}
