"""Lesson links: a view with a text beside it and some controls hidden; docs/lessons.md."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Module, Window
from tests.browser.server_process import Server

GUIDE = Path(__file__).parents[3] / "docs" / "lessons.md"
TITLE = "Wann lernt es Leerzeichen? 空格"
TEXT = "Drag the slider.\r\n\r\nSee https://example.org/a?b=1. <b>Then</b> answer."


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    return keep_run(hidden_size=8, max_updates=1_000, sample_every=500)


def test_a_link_is_read_as_it_was_made_and_a_cut_off_one_is_refused(module: Module) -> None:
    (example,) = re.findall(r"^#lesson=.*", GUIDE.read_text(encoding="utf-8"), re.MULTILINE)
    result = module(
        "lesson/lesson-link.js",
        """(() => {
          const lesson = { title: x[0], text: x[1], hidden: ["time", "unknown"] };
          const link = m.fragmentOf(lesson, true);
          const read = (fragment) => {
            try { return m.lessonFrom(fragment); } catch (error) {
              return error instanceof m.LessonLinkError ? "refused" : String(error);
            }
          };
          const start = "#folded-lesson=".length;
          const cut = [];
          for (let end = start; end < link.length; end += 1) cut.push(read(link.slice(0, end)));
          const of = (...parts) => read("#lesson=" + btoa(JSON.stringify(parts)));
          return {
            same: read(link), lesson, cut, none: [read(""), read("#main")], link,
            ofTheGuide: read(x[2]),
            wrong: [of(2, "", "", []), of(1, "a".repeat(81), "", []), of(1, "", "", [1]), of(1, 2),
              of(1, "", "a".repeat(1001), []), read("#lesson=%"), read("#lesson=bnVsbA")],
          };
        })()""",
        [TITLE, TEXT, example],
    )
    assert result["ofTheGuide"]["lesson"]["title"] == "When does it learn spaces?"
    assert result["same"] == {"lesson": result["lesson"], "folded": True}
    assert set(result["cut"]) == {"refused"}
    assert result["none"] == [None, None]
    assert result["wrong"] == ["refused"] * 7
    assert (
        result["link"].removeprefix("#folded-lesson=").replace("-", "").replace("_", "").isalnum()
    )


def _make_link(page: Page, hidden: list[str]) -> str:
    page.keyboard.press("?")
    page.locator("#lesson-open").click()
    page.locator("#lesson-new-title").fill(TITLE)
    page.locator("#lesson-new-text").fill(TEXT)
    for name in hidden:
        page.locator(f"#lesson-groups input[value='{name}']").uncheck()
    link = page.locator("#lesson-address").input_value()
    assert page.locator("#lesson-try").get_attribute("href") == link
    return link


def test_a_lesson_is_made_followed_to_another_page_folded_and_left(
    server: Server, lasting_window: Window, open_window: Callable[..., Window], run: str
) -> None:
    page = lasting_window.open(server, run, "&at=500")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 500")
    for shown in ("#pin-away", "#metrics-open"):
        expect(page.locator(shown)).to_be_visible()
    link = _make_link(page, ["new-run", "time", "tabs", "metrics"])
    assert f"?run={run}&" in link
    assert "at=500#lesson=" in link
    expect(page.locator("#lesson-preview-text p")).to_have_count(2)
    expect(page.locator("#lesson-count")).to_have_text("68 of 1,000 characters")
    # The page behind the dialog is the preview of the controls.
    expect(page.locator("#new-run")).to_be_hidden()
    page.keyboard.press("Escape")
    expect(page.locator("#new-run")).to_be_visible()

    page = open_window(first_visit=True).page
    page.goto(link)
    expect(page.locator("#writing-title")).to_have_text("Sample at update 500")
    panel = page.get_by_role("complementary", name=TITLE)
    expect(panel).to_contain_text("<b>Then</b> answer.")
    expect(panel.get_by_role("link")).to_have_attribute("href", "https://example.org/a?b=1")
    expect(page.locator("#tour")).to_be_hidden()
    expect(page.locator("#pin-card")).to_contain_text("update 500")
    for hidden in ("#new-run", ".timeline", "#card-tabs", "#pin-away", "#metrics-open"):
        expect(page.locator(hidden)).to_be_hidden()
    expect(page.locator("#write")).to_be_visible()
    # The keys of hidden controls do nothing, and their rows are not in the list.
    page.keyboard.press("n")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("?")
    expect(page.locator("#keys")).to_be_visible()
    expect(page.locator("#keys [data-keys=n]")).to_be_hidden()
    expect(page.locator("#keys [data-keys=p]")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 500")

    # Changes of the view, the link to the main part and other pages keep the lesson.
    page.locator("input[name=curve-tab][value=position]").check()
    page.wait_for_url(re.compile(r"chart=position.*#lesson="))
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"chart=position.*#lesson="))
    page.locator("#lesson-fold").click()
    expect(page.locator("#lesson-text")).to_be_hidden()
    page.locator("nav a[href^='/inside']").click()
    page.wait_for_url(re.compile(rf"/inside\?run={run}.*#folded-lesson="))
    expect(page.locator("#text-view")).to_have_attribute("data-ready", "true")
    expect(page.locator("#lesson-fold")).to_have_attribute("aria-expanded", "false")
    expect(page.locator("#inside-tabs")).to_be_hidden()

    page.locator("#lesson-leave").click()
    expect(page.locator("#lesson")).to_be_hidden()
    expect(page.locator("#inside-tabs")).to_be_visible()
    expect(page).not_to_have_url(re.compile("#"))

    # The message may be gone before a slow page is loaded.
    page.goto(link[:-10], wait_until="commit")
    expect(page.locator("#toasts")).to_contain_text("The lesson link is incomplete or damaged.")
    expect(page.locator("#new-run")).to_be_visible()
    expect(page.locator("#lesson")).to_be_hidden()
    expect(page).not_to_have_url(re.compile("#"))
    # Another link in the same window takes effect at once.
    page.goto(link)
    expect(page.locator("#lesson")).to_be_visible()
    expect(page.locator("#new-run")).to_be_hidden()
