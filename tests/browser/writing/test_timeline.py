"""The timeline: the two texts of past updates, the hold of live samples, and hurrahs."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import (
    Window,
    eventually,
    expect_parts_below_each_other,
    stop_clock,
)
from tests.browser.server_process import Server

# No other words can be written.
ORLA = ("Orla Vane " * 100).encode()


@pytest.fixture(scope="module")
def run(keep_run: Callable[..., str]) -> str:
    """A finished run of 400 updates."""
    return keep_run(max_updates=400, sample_every=100, watch_words=["e"], hidden_size=8)


def samples_of(server: Server, run: str) -> dict[int, dict[str, Any]]:
    return {sample["update"]: sample for sample in server.call("GET", f"runs/{run}/samples")}


def open_at_its_end(server: Server, window: Window, run: str) -> Page:
    page = window.open(server, run)
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 400")
    return page


def text_in_view(page: Page) -> str:
    return squeeze(page.locator("#sample-text .prose:not(.prose-fading)").inner_text())


def squeeze(text: str) -> str:
    return "".join(text.split())


def test_past_updates_show_both_texts_and_leaving_returns_to_live(
    server: Server, lasting_window: Window, run: str
) -> None:
    page = open_at_its_end(server, lasting_window, run)
    samples = samples_of(server, run)
    title = page.locator("#writing-title")
    about = page.locator("#sample-about")
    text_mode = page.locator("#text-mode")
    expect(text_mode).to_be_hidden()
    assert text_in_view(page) == squeeze(samples[400]["text"])
    expect(about).to_contain_text("are not in the corpus")

    # The text that was live remains the same in the history.
    page.keyboard.press("ArrowLeft")
    assert text_in_view(page) == squeeze(samples[300]["text"])
    expect(text_mode.locator("input[value=written]")).to_be_checked()
    expect(title).to_have_text("Sample at update 300")

    # The other text has another title, and celebrates nothing: its words are not hurrahs.
    text_mode.get_by_role("radio", name="same start").check()
    assert text_in_view(page) == squeeze(samples[300]["replay"]["text"])
    expect(title).to_have_text("Same start, at update 300")
    expect(about).to_contain_text("only the learning differs")
    expect(page.locator("#sample-text .watched")).to_have_count(0)
    page.wait_for_url(re.compile("text=replay"))
    # The URL shows it again. Escape first closes the explanation below the pointer.
    page.mouse.move(0, 0)
    page.keyboard.press("Escape")
    expect(title).to_have_text("Newest sample, at update 400")
    lasting_window.open(server, run, "&at=300&text=replay")
    expect(title).to_have_text("Same start, at update 300")
    page.keyboard.press("d")
    assert text_in_view(page) == squeeze(samples[300]["text"])
    expect(title).to_have_text("Sample at update 300")

    page.keyboard.press("p")
    expect(page.locator("#passage")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#passage")).to_be_hidden()
    expect(title).to_have_text("Sample at update 300")

    page.keyboard.press("Escape")
    expect(title).to_have_text("Newest sample, at update 400")
    assert text_in_view(page) == squeeze(samples[400]["text"])


def test_at_full_speed_each_sample_is_held_and_then_the_newest_is_shown(
    server: Server, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(
        pace=20, sample_every=2, sample_length=40, max_updates=None, hidden_size=8
    )
    page = open_window(clock=True).page
    page.add_init_script(
        """window.titles = [];
        addEventListener("DOMContentLoaded", () => {
          const title = document.querySelector("#writing-title");
          new MutationObserver(() => titles.push([performance.now(), title.textContent]))
            .observe(title, { childList: true, characterData: true, subtree: true });
        });"""
    )
    page.goto(f"{server.url}?run={run}")

    def first_shown() -> dict[int, float]:
        """When each sample was shown first, by the page's clock."""
        first: dict[int, float] = {}
        for at, text in page.evaluate("titles"):
            if found := re.search(r"[\d,]+$", text):
                first.setdefault(int(found[0].replace(",", "")), at)
        return first

    def later_samples() -> int:
        """How many samples are later than the one that is shown now."""
        newest = int(page.locator("#timeline").get_attribute("max") or 0)
        # The samples are those at updates 0, 1, 2, 4, 6 ...
        return newest - (list(first_shown())[-1] // 2 + 1)

    # From now on a sample is shown after another only when the test lets time pass.
    eventually(lambda: len(first_shown()), bool, "the first sample")
    stop_clock(page)
    for shown in range(2, 6):
        eventually(lambda: len(first_shown()), shown.__le__, "another sample")
        eventually(later_samples, lambda later: later >= 3, "later samples")
        page.clock.fast_forward(2_000)
    first = first_shown()
    times = list(first.values())
    # The first one may be shown just before the page is complete.
    assert all(b - a >= 2_000 for a, b in pairwise(times[1:]))
    # Between them is what was written meanwhile.
    assert all(b - a > 2 for a, b in pairwise(list(first)[1:]))

    server.call("POST", f"runs/{run}/pause")
    newest = max(samples_of(server, run))
    expect(page.locator("#writing-title")).to_have_text(f"Newest sample, at update {newest:,}")


def test_another_sample_moves_nothing_and_each_figure_has_a_sparkline_on_the_timeline(
    server: Server, lasting_window: Window, run: str
) -> None:
    page = open_at_its_end(server, lasting_window, run)
    page.evaluate(
        """() => {
          window.shifts = 0;
          new PerformanceObserver((list) => {
            for (const { value } of list.getEntries()) window.shifts += value;
          }).observe({ type: "layout-shift", buffered: false });
        }"""
    )
    expect(page.locator("#quality [role=slider]")).to_have_count(3)
    places = []
    for index in range(9):
        page.locator("#timeline").fill(str(index))
        places.append({part: page.locator(part).bounding_box() for part in PARTS})
    for place in places:
        assert place == places[0]
    assert page.evaluate("window.shifts") < 0.05
    page.locator("#timeline-live").click()

    samples = samples_of(server, run)
    curves = page.locator("#quality [role=slider]")
    expect(curves).to_have_count(3)
    share = curves.first
    whole = f"{round(samples[400]['quality']['real_words'] * 100)}%"
    words = f"real words of {samples[400]['quality']['words']}"
    expect(page.locator("#quality b").first).to_have_text(whole)
    expect(page.locator(".quality-words").first).to_have_text(words)
    expect(share).to_have_attribute(
        "aria-valuetext",
        re.compile(rf"^{whole}, {words}, at update 400; maximum \d+%, real words of \d+, at"),
    )
    share.hover()
    expect(page.locator("#writing-title")).to_contain_text("Sample at update")
    page.mouse.move(5, 5)
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 400")
    share.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 300")
    earlier = f"{round(samples[300]['quality']['real_words'] * 100)}%"
    expect(share).to_have_attribute(
        "aria-valuetext", re.compile(f"^{earlier}, real words of \\d+, at update 300")
    )


PARTS = ("#sample-text", ".sample-note", "#earlier", "#quality", "#watch-words", "#timeline")


def test_a_hurrah_is_shown_once_and_links_to_its_text(
    server: Server, lasting_window: Window, run: str
) -> None:
    upload = httpx.post(f"{server.url}api/corpora", files={"file": ("a.txt", ORLA)})
    corpus = upload.json()["id"]
    other = run
    run = server.create_run(
        corpus=corpus, watch_words=["Orla", "Vane", "Zebedee"], paused=True, max_updates=None
    )
    server.call("PATCH", f"runs/{run}", {"sample_every": 100})
    page = lasting_window.open(server, run)
    expect(page.locator("#words-count")).to_have_text("None of 3 watched words written")

    def all_came() -> bool:
        server.call("POST", f"runs/{run}/step", {"updates": 100})
        return page.locator("#watch-words button").count() == 2

    eventually(all_came, bool, "both words")
    toasts = page.locator(".toast-hurrah")
    expect(toasts).to_have_text(re.compile(r"hurrah - (Orla|Vane).*, update [\d,]+"))
    expect(page.locator("#live-region")).to_contain_text("hurrah - ")
    expect(page.locator("#words-count")).to_have_text("2 of 3 watched words written")
    expect(page.locator("#chart-plot")).to_contain_text(
        re.compile(r"hurrah - \w+.*, update [\d,]+")
    )

    milestones = server.call("GET", f"runs/{run}/milestones")
    at = next(each["update"] for each in milestones if each["text"] == "hurrah - Orla")
    page.locator("#watch-words button", has_text="Orla").click()
    written = squeeze(samples_of(server, run)[at]["text"])
    eventually(lambda: text_in_view(page), written.__eq__, "the sample with the word")
    expect(page.locator("#sample-text .watched").first).to_be_visible()
    page.wait_for_url(re.compile(rf"at={at}\b"))
    page.locator("#text-mode").get_by_role("radio", name="same start").check()
    expect(page.locator("#writing-title")).to_contain_text("Same start")
    expect(page.locator("#sample-text .watched")).to_have_count(0)
    page.locator("#watch-words button", has_text="Orla").click()
    # The choice between the two texts applies to this one only.
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#text-mode input[value=replay]")).to_be_checked()

    # When the run is opened again, its hurrahs are not new.
    lasting_window.open(server, other)
    expect(page.locator("#words-count")).to_have_text("The watched word was written")
    lasting_window.open(server, run)
    expect(page.locator("#words-count")).to_have_text("2 of 3 watched words written")
    orla = page.locator("#watch-words button", has_text="Orla")
    orla.focus()
    server.call("POST", f"runs/{run}/step", {"updates": 100})
    expect(page.locator("#figure-update")).to_have_text(f"{at_end(server, run):,}")
    newest = f"Newest sample, at update {at_end(server, run):,}"
    expect(page.locator("#writing-title")).to_have_text(newest)
    expect(page.locator(".toast-hurrah")).to_have_count(0)
    # A new sample changes nothing in the list of words.
    expect(orla).to_be_focused()


def at_end(server: Server, run: str) -> int:
    return int(server.call("GET", f"runs/{run}")["update"])


def test_the_operator_edits_the_watched_words_and_undoes_it_and_fifty_fit(
    server: Server, lasting_window: Window
) -> None:
    lasting_window.expect_errors("422")
    run = server.create_run(paused=True, hidden_size=8)
    page = lasting_window.open(server, run)
    own = server.call("GET", f"runs/{run}")["spec"]["watch_words"]

    def watched() -> list[str]:
        return list(server.call("GET", f"runs/{run}")["spec"]["watch_words"])

    page.locator("#words-open").click()
    field = page.locator("#words-text")
    expect(field).to_have_value("\n".join(own))
    field.fill("x" * 61)
    page.locator("#words-save").click()
    expect(page.locator("#words-problem")).not_to_be_empty()
    assert watched() == own
    field.fill("Zebedee, lamp\n\nthe sea")
    page.locator("#words-save").click()
    expect(page.locator("#words-dialog")).to_be_hidden()
    expect(page.locator("#watch-words")).to_have_text("Zebedeelampthe sea")
    assert watched() == ["Zebedee", "lamp", "the sea"]
    page.locator(".toast").get_by_text("Undo").click()
    expect(page.locator("#watch-words li")).to_have_count(len(own))
    # The page has the answer to its request, which would replace a later change.
    expect(page.locator(".toast", has_text="The watched words were restored.")).to_be_visible()
    assert watched() == own

    server.call("PATCH", f"runs/{run}", {"watch_words": ["Zebedee"]})
    expect(page.locator("#words-count")).to_have_text("None of 1 watched word written")
    page.locator("#words-open").click()
    page.locator("#words-default").click()
    expect(page.locator("#watch-words li")).to_have_count(len(own))

    # The page has the answer to its request, which would replace a later change.
    toasts = page.locator(".toast")
    expect(toasts.filter(has_text=f"{len(own)} words are watched now.")).to_be_visible()
    words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(50)]
    page.set_viewport_size({"width": 1024, "height": 768})
    server.call("PATCH", f"runs/{run}", {"watch_words": words})
    expect(page.locator("#watch-words li")).to_have_count(50)
    expect_parts_below_each_other(page)


def test_a_sample_that_is_not_stored_is_fetched(
    server: Server, lasting_window: Window, keep_run: Callable[..., str]
) -> None:
    run = keep_run(max_updates=600, sample_every=1, hidden_size=4, sample_length=8, watch_words=[])
    page = lasting_window.open(server, run, "&at=301&text=written")
    title = page.locator("#writing-title")
    expect(title).to_have_text("Sample at update 301")
    page.locator("#timeline-live").click()
    expect(title).to_have_text("Newest sample, at update 600")
    held = page.evaluate("document.querySelectorAll('#timeline-dots circle').length")
    assert held <= 200
    lasting_window.open(server, run, "&range=300-330&at=311&text=written")
    expect(title).to_have_text("Sample at update 311")
    page.keyboard.press("ArrowRight")
    expect(title).to_have_text("Sample at update 312")


def test_earlier_samples_keep_their_lines(server: Server, lasting_window: Window) -> None:
    verse = "\n".join(f"  line {n} of the verse" for n in range(60)) + "\n"
    upload = httpx.post(f"{server.url}api/corpora", files={"file": ("verse.txt", verse.encode())})
    run = server.create_run(
        corpus=upload.json()["id"], max_updates=600, sample_every=200, hidden_size=8
    )
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished at update 600")
    samples = {each["update"]: each["text"] for each in samples_of(server, run).values()}
    row = page.locator("#earlier button").first
    shown = row.locator(".earlier-text")
    text = re.sub(r"\n(?:[^\S\n]*\n)+", "\n", re.sub(r"^(?:[^\S\n]*\n)+", "", samples[400]))
    assert "\n" in text
    read = "(element) => element.textContent"
    eventually(lambda: shown.evaluate(read), text[:240].__eq__, "the sample of update 400")
    expect(shown).to_have_css("white-space-collapse", "preserve")
