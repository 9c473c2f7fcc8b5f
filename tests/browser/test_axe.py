"""axe-core finds nothing serious in any state of the pages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually
from tests.browser.course.files import answer_with
from tests.browser.server_process import Server

# What axe-core would load beforehand, style sheets and media, is for rules that do not apply.
GRAVE = """async (part) => {
  const options = { resultTypes: ["violations"], preload: false };
  const { violations } = await axe.run(part ?? document, options);
  return violations
    .filter(({ impact }) => ["serious", "critical"].includes(impact))
    .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
}"""
DESKTOP = {"color_scheme": "light", "has_touch": False}
PHONE = {"color_scheme": "dark", "viewport": {"width": 390, "height": 844}, "has_touch": True}


def _grave(page: Page, part: str | None) -> list[str]:
    """The serious findings of axe-core in the page or a part of it, with their elements."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(Axe().axe_script)
    found: list[str] = page.evaluate(GRAVE, part)
    return found


@dataclass(frozen=True)
class State:
    """A state of a page: how to reach it, and the part that no earlier state has.

    Without a URL it is a state of the page before it. Afterwards its part is closed with Escape,
    unless it stays open.
    """

    name: str
    prepare: Callable[[Page], None]
    part: str | None = None
    address: str | None = None
    stays_open: bool = False


def _close(page: Page, part: str) -> None:
    """Press Escape until the part is closed: a menu in it is closed first."""

    def is_closed() -> bool:
        page.keyboard.press("Escape")
        return page.locator(part).is_hidden()

    eventually(is_closed, bool, f"{part} to close")


def _watch(page: Page) -> None:
    expect(page.locator("#notice")).to_contain_text("Finished")
    page.locator("#chart[data-drawn-update]").wait_for(state="attached")


def _open(button: str, panel: str) -> Callable[[Page], None]:
    def prepare(page: Page) -> None:
        page.locator(button).click()
        expect(page.locator(panel)).to_be_visible()

    return prepare


def _note(page: Page) -> None:
    page.keyboard.press("m")
    field = page.get_by_role("textbox", name="Note at update")
    field.fill("the end")
    field.press("Enter")
    expect(field).to_have_count(0)

    # The note arrives by WebSocket, possibly after the HTTP answer.
    def pinned_text() -> str:
        page.keyboard.press("Escape")
        page.keyboard.press("[")
        return page.locator("#pin-card").inner_text()

    eventually(pinned_text, lambda text: "the end" in text, "the note")


def _passage(page: Page) -> None:
    _open("#write", "#passage")(page)
    expect(page.locator("#passage-quality b")).not_to_have_count(0)


def _keep(page: Page) -> None:
    page.locator("#passage-save").click()
    expect(page.locator("#passage-save")).to_have_text("Saved")
    page.locator("#passage-translate").click()
    expect(page.locator("#translate-list a")).to_have_count(3)


def _gallery(page: Page) -> None:
    expect(page.locator("#gallery-passages .passage-card")).to_have_count(1)


def _check_gradients(page: Page) -> None:
    expect(page.locator("#check-result")).to_have_attribute("aria-busy", "false")
    page.locator("#check-plot[data-drawn-step]").wait_for(state="attached")


def _check_own_gradients(page: Page) -> None:
    expect(page.locator("#problem-arrays tr")).to_have_count(5)
    answer_with(page, "recurrent_not_transposed")
    expect(page.locator("#answer-diagnosis code").first).to_be_visible()


def _train_mistake(page: Page) -> None:
    page.locator("#training-start").click()
    page.locator("#training[data-done]").wait_for()


def _compare(page: Page) -> None:
    expect(page.locator("#compare-body tr")).to_have_count(1)
    page.locator("#compare-chart[data-drawn]").wait_for(state="attached")


def _inside(page: Page) -> None:
    expect(page.locator("#text-view")).to_have_attribute("data-ready", "true")
    expect(page.locator("#text-curve-about")).to_contain_text("at update")
    expect(page.locator("#text-strip .tint").first).to_be_attached()


def _ready(view: str) -> Callable[[Page], None]:
    return lambda page: expect(page.locator(f"#{view}-view[data-ready=true]")).to_be_visible()


def _make_toy_text(page: Page) -> None:
    page.locator("#new-run").click()
    page.locator("#toy-open").click()


def _fork(page: Page) -> None:
    page.get_by_label("Fork", exact=True).click()
    page.locator("#fork-more summary").click()


def _read(page: Page) -> None:
    _watch(page)
    expect(page.locator(".sequence .surprising")).to_have_count(3)


def _panel(name: str, button: str, panel: str) -> State:
    return State(name, _open(button, panel), panel)


STATES = [
    State("watch", _watch, address="?run={run}"),
    _panel("runs", "#run-switch", "#run-panel"),
    _panel("latency", "#connection", "#latency-panel"),
    _panel("checkpoints", "#checkpoint-open", "#checkpoint-panel"),
    _panel("axes", "#axes-open", "#axes-panel"),
    _panel("export", "#export-open", "#export-panel"),
    _panel("own losses", "#own-open", "#own-panel"),
    State("passage", _passage, "#passage", stays_open=True),
    State("saved passage", _keep, "#passage"),
    _panel("new run", "#new-run", "#new-run-dialog"),
    State("note", _note, "#pin-card"),
    State("toy text", _make_toy_text, "#toy-dialog"),
    State("gallery", _gallery, address="passages?run={run}"),
    State("compare", _compare, address="compare?runs={run}"),
    State("fork", _fork, "#fork-dialog"),
    State("reading", _read, "#reading", "?run={run}&tab=reading&at=900", stays_open=True),
    State("inside", _inside, address="inside?run={run}"),
    State(
        "inside, gradient", _inside, "#text-view", "inside?run={run}&tint=gradient", stays_open=True
    ),
    State("memory", _ready("memory"), address="inside?run={run}&view=memory"),
    State("health", _ready("health"), address="inside?run={run}&view=health"),
    State("gradients", _check_gradients, address="gradients"),
    State("course", _check_own_gradients, address="course?hidden_size=5"),
    State("mistakes", _train_mistake, address="course/mistakes?hidden_size=5&updates=20"),
]


@pytest.mark.timeout(300)  # thirty pages and dialogs
@pytest.mark.parametrize("look", ["light", "phone in the dark"])
def test_axe_finds_nothing_serious(
    server: Server, open_window: Callable[..., Window], look: str
) -> None:
    run = server.create_run(pace="max", max_updates=1_000, watch_words=["e", "Zebedee"])
    # In contexts of their own: axe-core is slow in the large heap of the shared one.
    options = DESKTOP if look == "light" else PHONE
    page = open_window(reduced_motion="reduce", **options).page
    found = {}
    for state in STATES:
        if state.address:
            page.goto(server.url + state.address.format(run=run))
        state.prepare(page)
        if grave := _grave(page, state.part):
            found[state.name] = grave
        if state.part and not state.stays_open:
            _close(page, state.part)
    assert not found
