"""axe-core finds nothing serious in any state of the pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.browser.conftest import DESKTOP, Window, eventually
from tests.browser.course.files import answer_with
from tests.browser.layout.test_every_page import expect_controls_to_disappear, expect_whole_page
from tests.browser.server_process import Server

# Left out are rules of a lower impact, and loading style sheets and media, which is for rules that
# do not apply. Most of the time is for contrasts, of which a text of many coloured characters
# has few different ones. A sufficient contrast is computed once for the elements that have the same
# colours and sizes as far as the root. An element that is placed over others is always examined.
GRAVE = """async (part) => {
  const rules = axe._audit.rules;
  const isGrave = ({ impact }) => ["serious", "critical"].includes(impact);
  const others = rules.filter((rule) => !isGrave(rule)).map(({ id }) => [id, { enabled: false }]);

  const numbers = new Map();
  const looks = new Map();
  const look = (element) => {
    if (!element) return 0;
    if (!looks.has(element)) {
      const style = getComputedStyle(element);
      const isPlaced = ["absolute", "fixed", "sticky"].includes(style.position);
      const key = isPlaced || element instanceof SVGElement ? element : [
        look(element.parentElement), style.color, style.backgroundColor, style.backgroundImage,
        style.opacity, style.filter, style.mixBlendMode, style.textShadow, style.fontSize,
        style.fontWeight,
      ].join();
      if (!numbers.has(key)) numbers.set(key, numbers.size + 1);
      looks.set(element, numbers.get(key));
    }
    return looks.get(element);
  };
  const contrast = axe._audit.checks["color-contrast"];
  const { evaluate } = contrast;
  const sufficient = new Set();
  contrast.evaluate = function evaluateOnce(element, ...more) {
    if (sufficient.has(look(element))) return true;
    const result = evaluate.call(this, element, ...more);
    if (result === true) sufficient.add(look(element));
    return result;
  };

  const options = {
    resultTypes: ["violations"],
    preload: false,
    selectors: false,
    rules: Object.fromEntries(others),
  };
  try {
    const { violations } = await axe.run(part ?? document, options);
    return violations
      .filter(isGrave)
      .flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html}`));
  } finally {
    contrast.evaluate = evaluate;
  }
}"""
LESSON = "#lesson=WzEsIkEiLCJodHRwczovL2V4YW1wbGUub3JnIixbXV0"


def grave_findings(page: Page, part: str | None = None) -> list[str]:
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
    expect(page.locator("#gallery-passages .passage-card")).not_to_have_count(0)


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


def _wall(page: Page) -> None:
    expect(page.locator(".wall-line[d^=M]")).to_have_count(1)


def _inside(page: Page) -> None:
    page.locator("#inside-tab-text").click()
    expect(page.locator("#text-view")).to_have_attribute("data-ready", "true")
    expect(page.locator("#text-curve-about")).to_contain_text("at update")
    expect(page.locator("#text-strip .tint").first).to_be_attached()


def _inside_gradient(page: Page) -> None:
    page.locator("input[name=text-tint][value=gradient]").check()
    expect(page).to_have_url(re.compile("tint=gradient"))
    _inside(page)


def _inside_tab(view: str) -> Callable[[Page], None]:
    def prepare(page: Page) -> None:
        page.locator(f"#inside-tab-{view}").click()
        expect(page.locator(f"#{view}-view[data-ready=true]")).to_be_visible()

    return prepare


def _make_toy_text(page: Page) -> None:
    page.locator("#new-run").click()
    page.locator("#toy-open").click()


def _machines(page: Page) -> None:
    page.locator("#run-switch").click()
    page.locator("#machines-open").click()
    expect(page.locator("#machines-list li")).not_to_have_count(0)


def _make_lesson(page: Page) -> None:
    page.keyboard.press("?")
    page.locator("#lesson-open").click()
    page.locator("#lesson-new-text").fill("Look at https://example.org.")


def _fork(page: Page) -> None:
    page.get_by_label("Fork", exact=True).click()
    page.locator("#fork-more summary").click()


def _read(page: Page) -> None:
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowLeft")
    page.locator("#tab-reading").click()
    expect(page.locator(".sequence .surprising")).to_have_count(3)


def _lesson(page: Page) -> None:
    page.evaluate("(fragment) => { location.hash = fragment; }", LESSON)
    expect(page.locator("#lesson")).to_be_visible()


def _panel(name: str, button: str, panel: str) -> State:
    return State(name, _open(button, panel), panel)


RUN_STATES = [
    State("watch", _watch, address="?run={run}"),
    _panel("runs", "#run-switch", "#run-panel"),
    _panel("latency", "#connection", "#latency-panel"),
    _panel("checkpoints", "#checkpoint-open", "#checkpoint-panel"),
    _panel("axes", "#axes-open", "#axes-panel"),
    _panel("export", "#export-open", "#export-panel"),
    _panel("own losses", "#own-open", "#own-panel"),
    _panel("seeds", "#seeds-open", "#seeds-panel"),
    State("new lesson", _make_lesson, "#lesson-dialog"),
    State("machines", _machines, "#machines-dialog"),
    State("passage", _passage, "#passage", stays_open=True),
    State("saved passage", _keep, "#passage"),
    _panel("new run", "#new-run", "#new-run-dialog"),
    State("note", _note, "#pin-card"),
    State("toy text", _make_toy_text, "#toy-dialog"),
    State("reading", _read, "#reading", stays_open=True),
    State("lesson", _lesson, "#lesson", stays_open=True),
]

# Each page, with its states.
OTHER_PAGES = [
    [State("gallery", _gallery, address="passages?run={run}")],
    [State("wall", _wall, address="wall")],
    [
        State("compare", _compare, address="compare?runs={run}"),
        State("fork", _fork, "#fork-dialog"),
    ],
    [
        State("inside", _inside, address="inside?run={run}"),
        State("inside, gradient", _inside_gradient, "#text-view", stays_open=True),
        State("memory", _inside_tab("memory"), "#inside-view-memory", stays_open=True),
        State("health", _inside_tab("health"), "#inside-view-health", stays_open=True),
    ],
    [State("gradients", _check_gradients, address="gradients")],
    [State("course", _check_own_gradients, address="course?hidden_size=5")],
    [State("mistakes", _train_mistake, address="course/mistakes?hidden_size=5&updates=20")],
]


class Look:
    """Shows one page on a desktop in light colours, or on a phone in dark ones."""

    def __init__(self, page: Page) -> None:
        self._page = page
        self._devtools = page.context.new_cdp_session(page)

    def desktop(self) -> None:
        self._devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
        self._page.emulate_media(color_scheme="light")
        self._page.set_viewport_size(DESKTOP)

    def phone(self) -> None:
        self._page.set_viewport_size({"width": 390, "height": 844})
        self._page.emulate_media(color_scheme="dark")
        self._devtools.send(
            "Emulation.setTouchEmulationEnabled", {"enabled": True, "maxTouchPoints": 1}
        )


def open_page(open_window: Callable[..., Window]) -> Page:
    """Open a page in a context of its own: axe-core is slow in the large heap of the shared one."""
    return open_window(reduced_motion="reduce", new_context=True).page


def finished_run(server: Server) -> str:
    return server.create_run(pace="max", max_updates=1_000, watch_words=["e", "Zebedee"])


def findings(server: Server, page: Page, run: str, states: list[State]) -> dict[str, list[str]]:
    """Go through states of one page, and return the serious findings in each."""
    found = {}
    for state in states:
        if state.address:
            page.goto(server.url + state.address.format(run=run))
        state.prepare(page)
        if grave := grave_findings(page, state.part):
            found[state.name] = grave
        if state.part and not state.stays_open:
            _close(page, state.part)
    return found


@pytest.mark.timeout(300)  # many states
@pytest.mark.parametrize("shown", ["desktop", "phone"])
def test_the_page_of_a_run_is_accessible(
    server: Server, open_window: Callable[..., Window], shown: str
) -> None:
    page = open_page(open_window)
    getattr(Look(page), shown)()
    assert not findings(server, page, finished_run(server), RUN_STATES)


@pytest.mark.timeout(300)  # many pages
def test_the_other_pages_are_accessible_and_whole_on_a_desktop_and_on_a_phone(
    server: Server, open_window: Callable[..., Window]
) -> None:
    run = finished_run(server)
    written = server.call("POST", f"runs/{run}/passages", {"length": 300, "seed": 1})
    saved = {"run": run, "fingerprint": written["fingerprint"], "title": None}
    server.call("POST", "passages", saved)
    page = open_page(open_window)
    look = Look(page)
    for states in OTHER_PAGES:
        look.desktop()
        assert not findings(server, page, run, states)
        look.phone()
        if len(states) == 1:  # the page is still in this state
            assert not grave_findings(page), states[0].name
        else:
            again = [replace(each, address=None) for each in states]
            assert not findings(server, page, run, again)
        look.desktop()
        # The others are in test_every_page.py.
        if states[0].name in {"compare", "inside", "gradients", "mistakes"}:
            expect_whole_page(page)
        expect_controls_to_disappear(page)
