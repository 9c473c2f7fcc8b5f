"""Toasts: they name their run and cover no control."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
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


@pytest.mark.parametrize(("width", "height"), [(1440, 900), (1280, 720), (1024, 768)])
def test_a_hurrah_covers_no_control(
    server: Server, open_window: Callable[..., Window], width: int, height: int
) -> None:
    window = open_window(viewport={"width": width, "height": height})
    page = window.open(server, server.create_run(paused=True))
    show(page, f"“{NAME}”: hurrah - Orla, update 9,000", label="Show", hurrah=True)
    show(page, "Link copied.")
    assert page.evaluate(COVERED) == [2, []]


def test_only_the_newest_toasts_are_shown(server: Server, window: Window) -> None:
    page = window.open(server, server.create_run(paused=True))
    for number in range(5):
        show(page, f"“run {number}” was deleted.", lastsMs=60_000)
    visible = page.locator(".toast:visible")
    expect(visible).to_have_text(["“run 3” was deleted.", "“run 4” was deleted."])
    visible.last.get_by_label("Dismiss").click()
    expect(visible).to_have_text(["“run 2” was deleted.", "“run 3” was deleted."])


def test_a_toast_names_its_run(server: Server, window: Window) -> None:
    page = window.open(server, server.create_run(paused=True, name=NAME))
    page.keyboard.press("c")
    expect(page.locator(".toast")).to_contain_text(f"“{NAME}”: Checkpoint at update 0 saved.")
