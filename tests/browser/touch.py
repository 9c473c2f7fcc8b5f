"""Fingers on a page whose browser context has no touch screen."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import CDPSession, Page


class Fingers:
    """Touches the page; x and y are in CSS pixels of the window."""

    def __init__(self, devtools: CDPSession) -> None:
        self._devtools = devtools

    def send(self, kind: str, *points: tuple[float, float]) -> None:
        """Send an event, such as touchStart, with all points that are touched."""
        touched = [{"x": x, "y": y, "id": i} for i, (x, y) in enumerate(points)]
        event = {"type": kind, "touchPoints": touched}
        self._devtools.send("Input.dispatchTouchEvent", event)

    def tap(self, x: float, y: float) -> None:
        self.send("touchStart", (x, y))
        self.send("touchEnd")


@contextmanager
def touch_screen(page: Page) -> Iterator[Fingers]:
    """Give the page a touch screen, which it has no more afterwards."""
    devtools = page.context.new_cdp_session(page)
    enable = "Emulation.setTouchEmulationEnabled"
    devtools.send(enable, {"enabled": True, "maxTouchPoints": 2})
    yield Fingers(devtools)
    devtools.send(enable, {"enabled": False})
    devtools.detach()
