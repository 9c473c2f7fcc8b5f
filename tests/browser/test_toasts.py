"""Toasts: they name their run and cover no control."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page, expect

from tests.browser.conftest import Window
from tests.browser.server_process import Server

NAME = "A comparison of cells, the third"
SHOW = "x => import('/static/js/ui/toasts.js').then((m) => void m.toast(x.text, x.options))"
COVERED = """() => {
  const toasts = [...document.querySelectorAll(".toast")].filter((each) => each.offsetParent);
  const controls = document.querySelectorAll("button, input, a[href], [tabindex='0']");
  const hits = [...controls].filter((control) => {
    if (!control.checkVisibility() || control.closest(".toasts")) return false;
    const a = control.getBoundingClientRect();
    return a.width && toasts.some((toast) => {
      const b = toast.getBoundingClientRect();
      return a.left < b.right && a.right > b.left && a.top < b.bottom && a.bottom > b.top;
    });
  });
  return [toasts.length, hits.map((control) => control.id || control.outerHTML)];
}"""


def show(page: Page, text: str, **options: Any) -> None:
    page.evaluate(SHOW, {"text": text, "options": options})


def test_toasts_name_their_run_cover_no_control_and_only_the_newest_are_shown(
    server: Server, lasting_window: Window
) -> None:
    page = lasting_window.open(server, server.create_run(paused=True, name=NAME))
    page.keyboard.press("c")
    expect(page.locator(".toast")).to_contain_text(f"“{NAME}”: Checkpoint at update 0 saved.")
    # It may have closed by itself.
    page.locator(".toast").get_by_label("Dismiss").evaluate_all(
        "all => all.forEach((each) => each.click())"
    )

    minute_ms = 60_000
    hurrah = {"label": "Show", "hurrah": True, "lastsMs": minute_ms}
    show(page, f"“{NAME}”: hurrah - Orla, update 9,000", **hurrah)
    show(page, "Link copied.", lastsMs=minute_ms)
    for width, height in ((1440, 900), (1280, 720), (1024, 768)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate(COVERED) == [2, []]
    visible = page.locator(".toast:visible")
    for _ in range(2):
        visible.last.get_by_label("Dismiss").click()
    expect(visible).to_have_count(0)

    for number in range(5):
        show(page, f"“run {number}” was deleted.", lastsMs=minute_ms)
    expect(visible).to_have_text(["“run 3” was deleted.", "“run 4” was deleted."])
    visible.last.get_by_label("Dismiss").click()
    expect(visible).to_have_text(["“run 2” was deleted.", "“run 3” was deleted."])
