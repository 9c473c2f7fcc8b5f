"""The timeline: replays of past updates, changed words, and hurrahs."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import Server

# No other words can be written.
ORLA = ("Orla Vane " * 100).encode()


@pytest.fixture
def run(server: Server) -> str:
    return server.create_run(pace="max", max_updates=400, sample_every=100, watch_words=["e"])


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


def test_past_updates_show_replays_and_leaving_returns_to_live(
    server: Server, window: Window, run: str
) -> None:
    page = open_at_its_end(server, window, run)
    samples = samples_of(server, run)
    about = page.locator("#sample-about")
    text_mode = page.locator("#text-mode")
    expect(text_mode).to_be_hidden()
    assert text_in_view(page) == squeeze(samples[400]["text"])
    expect(about).to_contain_text("are not in the corpus")

    page.keyboard.press("ArrowLeft")
    assert text_in_view(page) == squeeze(samples[300]["replay"]["text"])
    expect(text_mode.locator("input[value=replay]")).to_be_checked()
    expect(about).to_contain_text("since 200")

    text_mode.locator("input[value=written]").check()
    assert text_in_view(page) == squeeze(samples[300]["text"])
    expect(page.locator("#sample-text .changed")).to_have_count(0)
    page.wait_for_url(re.compile("text=written"))
    page.keyboard.press("d")
    assert text_in_view(page) == squeeze(samples[300]["replay"]["text"])

    page.keyboard.press("p")
    expect(page.locator("#passage")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#passage")).to_be_hidden()
    expect(page.locator("#writing-title")).to_contain_text("Sample at update 300")

    page.keyboard.press("Escape")
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 400")
    assert text_in_view(page) == squeeze(samples[400]["text"])


def test_changes_since_the_previous_replay_are_marked(server: Server, window: Window) -> None:
    # It learns so slowly that few words change.
    run = server.create_run(
        pace="max", max_updates=400, sample_every=100, learning_rate=0.0005, seed=2
    )
    page = open_at_its_end(server, window, run)
    samples = samples_of(server, run)
    texts = [sample["replay"]["text"] for sample in samples.values()]
    index = next(i for i in range(1, len(texts)) if texts[i] != texts[i - 1])
    page.locator("#timeline").fill(str(index))
    about = page.locator("#sample-about")
    expect(about).to_have_text(re.compile(r"^\d+ of \d+ words changed since|^Every word changed"))
    same = next((i for i in range(1, len(texts)) if texts[i] == texts[i - 1]), None)
    if same is not None:
        page.locator("#timeline").fill(str(same))
        expect(about).to_contain_text("No word changed since")
        expect(page.locator("#sample-text .changed")).to_have_count(0)


def test_another_sample_moves_nothing(server: Server, window: Window, run: str) -> None:
    page = open_at_its_end(server, window, run)
    page.evaluate(
        """() => {
          window.shifts = 0;
          new PerformanceObserver((list) => {
            for (const { value } of list.getEntries()) window.shifts += value;
          }).observe({ type: "layout-shift", buffered: false });
        }"""
    )
    places = []
    for index in range(9):
        page.locator("#timeline").fill(str(index))
        places.append({part: page.locator(part).bounding_box() for part in PARTS})
    for place in places:
        assert place == places[0]
    assert page.evaluate("window.shifts") < 0.05


PARTS = ("#sample-text", ".sample-note", "#earlier", "#quality", "#watch-words", "#timeline")


def test_each_quality_figure_has_a_sparkline_on_the_timeline(
    server: Server, window: Window, run: str
) -> None:
    page = open_at_its_end(server, window, run)
    samples = samples_of(server, run)
    curves = page.locator("#quality [role=slider]")
    expect(curves).to_have_count(3)
    share = curves.first
    whole = f"{round(samples[400]['quality']['real_words'] * 100)}%"
    expect(page.locator("#quality b").first).to_have_text(whole)
    expect(share).to_have_attribute(
        "aria-valuetext", re.compile(rf"^{whole} at update 400; maximum \d+%, at")
    )
    share.hover()
    expect(page.locator("#writing-title")).to_contain_text("Sample at update")
    page.mouse.move(5, 5)
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 400")
    share.focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 300")
    replayed = f"{round(samples[300]['replay']['quality']['real_words'] * 100)}%"
    expect(share).to_have_attribute("aria-valuetext", re.compile(f"^{replayed} at update 300"))


def test_a_hurrah_is_shown_once_and_links_to_its_text(server: Server, window: Window) -> None:
    upload = httpx.post(f"{server.url}api/corpora", files={"file": ("a.txt", ORLA)})
    corpus = upload.json()["id"]
    run = server.create_run(
        corpus=corpus, watch_words=["Orla", "Vane", "Zebedee"], paused=True, max_updates=None
    )
    server.call("PATCH", f"runs/{run}", {"sample_every": 100})
    page = window.open(server, run)
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
    assert text_in_view(page) == squeeze(samples_of(server, run)[at]["text"])
    expect(page.locator("#sample-text .watched").first).to_be_visible()
    page.wait_for_url(re.compile(rf"at={at}\b.*text=written"))
    page.locator("#text-mode input[value=replay]").check()
    expect(page.locator("#sample-about")).to_contain_text("first appeared in the text as written")
    page.locator("#watch-words button", has_text="Orla").click()
    # The choice between the two texts applies to this one only.
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#text-mode input[value=replay]")).to_be_checked()

    page.reload()
    expect(page.locator("#words-count")).to_have_text("2 of 3 watched words written")
    server.call("POST", f"runs/{run}/step", {"updates": 100})
    expect(page.locator("#figure-update")).to_have_text(f"{at_end(server, run):,}")
    expect(page.locator(".toast-hurrah")).to_have_count(0)


def at_end(server: Server, run: str) -> int:
    return int(server.call("GET", f"runs/{run}")["update"])


def test_the_operator_edits_the_watched_words_and_undoes_it(server: Server, window: Window) -> None:
    window.expect_errors("422")
    run = server.create_run(paused=True)
    page = window.open(server, run)
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
    assert watched() == own

    server.call("PATCH", f"runs/{run}", {"watch_words": ["Zebedee"]})
    expect(page.locator("#words-count")).to_have_text("None of 1 watched word written")
    page.locator("#words-open").click()
    page.locator("#words-default").click()
    expect(page.locator("#watch-words li")).to_have_count(len(own))


def test_fifty_watched_words_fit(server: Server, open_window: Callable[..., Window]) -> None:
    words = [f"word{chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(50)]
    run = server.create_run(paused=True, watch_words=words)
    page = open_window(viewport={"width": 1024, "height": 768}).open(server, run)
    expect(page.locator("#watch-words li")).to_have_count(50)
    assert page.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
    wall, timeline = (page.locator(part).bounding_box() for part in ("#watch-words", ".timeline"))
    assert wall is not None
    assert timeline is not None
    assert wall["y"] + wall["height"] <= timeline["y"] + 0.5


def test_a_sample_that_is_not_stored_is_fetched(server: Server, window: Window) -> None:
    run = server.create_run(
        pace="max", max_updates=600, sample_every=1, hidden_size=4, sample_length=8, watch_words=[]
    )
    page = window.open(server, run)
    expect(page.locator("#writing-title")).to_have_text("Newest sample, at update 600")
    held = page.evaluate("document.querySelectorAll('#timeline-dots circle').length")
    assert held <= 200
    page.goto(f"{server.url}?run={run}&at=301&text=written")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 301")
    page.goto(f"{server.url}?run={run}&range=300-330&at=311&text=written")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 311")
    page.keyboard.press("ArrowRight")
    expect(page.locator("#writing-title")).to_have_text("Sample at update 312")


def test_earlier_samples_keep_their_lines(server: Server, window: Window) -> None:
    verse = "\n".join(f"  line {n} of the verse" for n in range(60)) + "\n"
    upload = httpx.post(f"{server.url}api/corpora", files={"file": ("verse.txt", verse.encode())})
    run = server.create_run(corpus=upload.json()["id"], max_updates=600, sample_every=200)
    page = window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished at update 600")
    samples = {each["update"]: each["text"] for each in samples_of(server, run).values()}
    row = page.locator("#earlier button").first
    shown = row.locator(".earlier-text")
    text = re.sub(r"\n(?:[^\S\n]*\n)+", "\n", re.sub(r"^(?:[^\S\n]*\n)+", "", samples[400]))
    assert "\n" in text
    assert shown.evaluate("(element) => element.textContent") == text[:240]
    expect(shown).to_have_css("white-space-collapse", "preserve")
