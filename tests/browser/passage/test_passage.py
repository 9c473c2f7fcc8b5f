"""Requesting a passage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually, stop_clock
from tests.browser.server_process import Server


@pytest.fixture(scope="module")
def run(server: Server, keep_run: Callable[..., str]) -> str:
    """A run that is paused at update 40, with a checkpoint."""
    run = keep_run(hidden_size=8, updates=40)
    server.call("POST", f"runs/{run}/checkpoints", {})
    return run


def text(page: Page) -> str:
    return page.locator("#passage-text").inner_text()


def written(page: Page) -> str:
    expect(page.locator("#passage")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#passage-text .prose")).to_be_visible()
    return text(page)


def press_copying(page: Page, button: str) -> None:
    """Press a button that says for a moment that it has copied, and wait until it has said so."""
    page.locator(button).evaluate(
        """(button) => {
          delete button.dataset.copied;
          new MutationObserver(() => {
            if (button.textContent.includes("Copied")) button.dataset.copied = "";
          }).observe(button, { childList: true, characterData: true, subtree: true });
        }"""
    )
    page.locator(button).click()
    expect(page.locator(f"{button}[data-copied]")).to_be_attached()


def write(page: Page) -> None:
    page.locator("#passage-form").get_by_text("Write", exact=True).click()


def downloaded(page: Page) -> str:
    expect(page.locator("#passage")).not_to_have_attribute("aria-busy", "true")
    with page.expect_download() as download:
        page.locator("#passage-download").click()
    # Without the first line, which names temperature and seed.
    return download.value.path().read_text("utf-8").split("\n\n", 1)[1]


@pytest.mark.timeout(300)  # several steps on one page
def test_a_passage_is_written_copied_downloaded_and_decided_by_its_settings(
    server: Server, window: Window, run: str
) -> None:
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = window.open(server, run)
    page.locator("#write").click()
    expect_passage_beside_the_curve(page)
    expect_settings_to_decide_the_text(page)
    expect_prime_to_keep_its_lines(page)
    expect_passage_to_fill_a_phone(page)


def expect_passage_beside_the_curve(page: Page) -> None:
    assert len(written(page)) > 500
    expect(page.locator("#passage-quality")).to_contain_text("real words")
    expect(page.locator("#passage-source")).to_contain_text("best model, update")
    drawer, curve = page.locator("#passage").bounding_box(), page.locator("#chart").bounding_box()
    assert drawer is not None
    assert curve is not None
    assert drawer["x"] >= curve["x"] + curve["width"]

    shown = "".join(text(page).split())
    press_copying(page, "#passage-copy")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert "".join(copied.split()) == shown
    with page.expect_download() as download:
        page.locator("#passage-download").click()
    assert download.value.suggested_filename.endswith(".txt")
    origin, content = download.value.path().read_text("utf-8").split("\n\n", 1)
    assert content == f"{copied}\n"
    # The page, the interface and the command line have the same default temperature.
    assert re.search(
        r", best model, update [\d,]+, smooth loss [\d.]+, temperature 1, seed \d+$", origin
    )


def expect_settings_to_decide_the_text(page: Page) -> None:
    first = written(page)
    seed = page.locator("#passage-seed").input_value()

    page.locator("#passage-random-seed").click()
    eventually(lambda: text(page), lambda now: now != first, "another text")
    # The seed of a text is shown when it is finished.
    written(page)
    expect(page.locator("#passage-seed")).not_to_have_value(seed)

    page.locator("#passage-seed").fill(seed)
    write(page)
    eventually(lambda: text(page), lambda now: now == first, "the first text again")

    page.locator("#passage-model").select_option("checkpoint 40")
    write(page)
    expect(page.locator("#passage-source")).to_contain_text("checkpoint model, update 40")

    page.locator("#passage-more summary").click()
    page.locator("#passage-top-k").fill("1")
    page.locator("#passage-top-k").press("Enter")
    expect(page.locator("#passage-more-summary")).to_have_text("top-k 1")
    greedy = downloaded(page)
    page.locator("#passage-top-k").fill("")
    page.locator("#passage-top-p").fill("0.0101")
    page.locator("#passage-top-p").press("Enter")
    expect(page.locator("#passage-more-summary")).to_have_text("top-p 0.0101")
    assert downloaded(page) == greedy
    page.locator("#passage-top-p").fill("")
    page.locator("#passage-top-p").press("Enter")
    assert downloaded(page) != greedy


def expect_prime_to_keep_its_lines(page: Page) -> None:
    prime = page.locator("#passage-prime-text")
    prime.fill("")
    prime.press_sequentially("The 語")
    prime.press("Shift+Enter")
    prime.press_sequentially("  sea ")
    with page.expect_request(lambda request: "/passages" in request.url) as asked:
        prime.press("Enter")
    body = asked.value.post_data_json
    assert body is not None
    assert body["prime"] == "The 語\n  sea "
    expect(page.locator(".unread")).to_have_text("語")
    written(page)
    expect(page.locator("#passage-unknown")).to_contain_text("were not read: “語”")
    expect(page.locator(".unread")).to_have_text("語")
    shown = page.locator("#passage-text .prose").evaluate("(prose) => prose.textContent")
    assert shown.startswith("The 語\n  sea")
    prime.fill("Orla ☃ 漢")
    prime.press("Enter")
    expect(page.locator("#passage-unknown")).to_contain_text("“☃” “漢”")


def expect_passage_to_fill_a_phone(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    written(page)
    box = page.locator("#passage").bounding_box()
    assert box is not None
    assert box["width"] == 390
    # All actions are in reach, side by side.
    buttons = page.locator(".passage-actions button:visible")
    boxes = [box for i in range(buttons.count()) if (box := buttons.nth(i).bounding_box())]
    assert len(boxes) == 5
    assert len({round(box["y"]) for box in boxes}) == 1
    assert max(box["x"] + box["width"] for box in boxes) <= 390
    page.locator("#passage-save").click()
    expect(page.locator(".toast")).to_contain_text("Saved together with the model.")
    page.locator("#passage-close").click()
    expect(page.locator("#passage")).to_be_hidden()


@pytest.mark.timeout(300)  # several steps on one page
def test_several_temperatures_problems_and_a_long_passage(
    server: Server, open_window: Callable[..., Window], run: str
) -> None:
    window = open_window(clock=True)
    window.expect_errors("status of 4(22|29)")
    page = window.open(server, run)
    page.locator("#write").click()
    written(page)
    expect_temperatures_side_by_side(server, page, run)
    expect_problems_to_keep_the_text(page)
    expect_a_long_passage_to_grow(page)


def expect_temperatures_side_by_side(server: Server, page: Page, run: str) -> None:
    page.locator("input[name=several][value=several]").check()
    chips = page.locator("#passage-chips label")
    expect(chips).to_have_text(["0.4", "0.7", "1.0", "1.3"])
    chips.filter(has_text="1.0").click()
    chips.filter(has_text="1.3").click()
    # The first Enter adds a temperature, the second one submits.
    page.locator("#passage-other-temperature").fill("0")
    page.locator("#passage-other-temperature").press("Enter")
    expect(chips).to_have_text(["0.0", "0.4", "0.7", "1.0", "1.3"])
    page.locator("#passage-other-temperature").press("Enter")
    columns = page.locator(".passage-column")
    expect(columns).to_have_count(3)
    expect(columns.locator(".quality > :nth-child(-n + 3) b")).to_have_count(9)
    expect(columns.first).to_contain_text("temperature 0.00")
    boxes = [columns.nth(i).bounding_box() for i in range(3)]
    assert len({box["y"] for box in boxes if box}) == 1

    # Three texts use the full width, unless the user chooses otherwise.
    width = "document.querySelector('#passage').clientWidth"
    assert page.evaluate(width) > 1000
    page.locator("#passage-wide").click()
    assert page.evaluate(width) < 800

    # It is the same after a reload, even after another run was shown.
    page.goto(f"{server.url}?run={run}")
    expect(page.locator("#write-temperature")).to_have_text("0, 0.4, 0.7")
    page.locator("#write").click()
    expect(columns).to_have_count(3)
    page.locator("input[name=several][value=one]").check()
    page.locator("#passage-write").click()
    expect(columns).to_have_count(0)
    expect(page.locator("#passage-quality")).to_contain_text("real words")


def expect_problems_to_keep_the_text(page: Page) -> None:
    """A rate limit, a refusal and a lost connection are shown, and the text stays."""
    sentence = "The limit is 5 passages a minute from one address: it goes on in 2 s."
    refusal = {"type": "about:blank", "title": "Too Many Requests", "status": 429}
    page.route(
        "**/passages?stream=true",
        lambda route: route.fulfill(
            status=429,
            headers={"Retry-After": "2", "Content-Type": "application/problem+json"},
            body=json.dumps(refusal | {"detail": sentence}),
        ),
        times=1,
    )
    stop_clock(page)
    write(page)
    expect(page.locator("#passage-problem")).to_have_text(sentence)
    go = page.locator("#passage-write")
    for left in (2, 1):
        expect(go).to_have_text(f"Write in {left} s")
        expect(go).to_be_disabled()
        page.clock.run_for(1_000)
    expect(go).to_have_text("Write")
    expect(page.locator("#passage-problem")).to_be_hidden()
    page.clock.resume()
    go.click()
    before = written(page)
    assert before

    page.locator("#passage-form").evaluate("form => { form.noValidate = true; }")
    page.locator("#passage-length").fill("20001")
    page.locator("#passage-length").press("Enter")
    expect(page.locator("#passage-problem")).to_contain_text("length")
    assert text(page) == before

    page.route(
        "**/passages?stream=true",
        lambda route: route.fulfill(
            content_type="application/x-ndjson", body='{"pieces": ["Half a word, and th"]}\n'
        ),
    )
    page.locator("#passage-length").fill("1000")
    write(page)
    expect(page.locator("#passage-problem")).to_contain_text(
        "connection was lost while the passage was being written"
    )
    expect(page.locator("#passage-text")).to_contain_text("Half a word, and th")
    expect(page.locator("#passage-write")).to_be_visible()
    page.unroute("**/passages?stream=true")
    page.locator("#passage-form").evaluate("form => { form.noValidate = false; }")


# Delivers the first piece of a passage, and then nothing more.
AFTER_THE_FIRST_PIECE = """() => {
  const real = window.fetch;
  window.fetch = async (path, options) => {
    const response = await real(path, options);
    if (!path.includes("stream=true")) return response;
    const reader = response.body.getReader();
    const { value } = await reader.read();
    const first = new TextDecoder().decode(value).split("\\n")[0];
    return new Response(new ReadableStream({
      start(lines) {
        lines.enqueue(new TextEncoder().encode(first + "\\n"));
        options.signal.addEventListener("abort", () =>
          lines.error(new DOMException("", "AbortError")));
      },
    }));
  };
}
"""


def expect_a_long_passage_to_grow(page: Page) -> None:
    """A long passage appears as it is written, and keeps its text when it is stopped."""
    page.locator("#passage-length").fill("20000")
    page.locator("#passage-length").press("Enter")
    expect(page.locator("#passage-source")).to_contain_text("best model, update")
    written(page)
    assert len(downloaded(page)) == 20_000 + len("\n")

    # The answer is held up, since a fast machine would finish before the button is pressed.
    page.evaluate(AFTER_THE_FIRST_PIECE)
    page.locator("#passage-length").fill("20000")
    page.locator("#passage-length").press("Enter")
    expect(page.locator("#passage-progress")).to_contain_text("of 20,000 characters")
    eventually(
        lambda: page.evaluate("document.querySelector('#passage-text').textContent.length"),
        lambda length: 0 < length < 20_000,
        "the beginning of the text",
    )
    page.locator("#passage-stop").click()
    expect(page.locator("#passage-source")).to_contain_text("stopped after")
    expect(page.locator("#passage-write")).to_be_visible()
    assert text(page)
    expect(page.locator("#passage-copy")).to_be_enabled()

    # The text appears before its quality.
    page.locator("#passage-length").fill("1000")
    page.locator("#passage-length").press("Enter")
    expect(page.locator("#passage-progress")).to_contain_text("of 1,000 characters")
    page.locator("#passage-length").fill("1")
    page.locator("#passage-length").press("Enter")
    expect(page.locator("#passage-progress")).to_contain_text("written; measuring the quality")
    expect(page.locator("#passage-text .prose")).to_have_count(1)

    # Finished text does not move.
    page.locator("#passage-close").click()
    grown = page.evaluate(
        """async () => {
          const { PassageText } = await import("/static/js/passage/passage-text.js");
          const host = document.querySelector("#passage-text");
          host.closest("dialog").show();
          const text = "  One\\nOrla two.\\n\\n\\nThree   \\n\\nfour\\n\\n\\n\\nfive ".repeat(20);
          const boxes = () => [...host.querySelectorAll("p")]
            .filter((p) => p.textContent).map((p) => [p.textContent, p.offsetTop, p.offsetHeight]);
          const growing = new PassageText(host);
          growing.start([1], false, { watched: ["Orla"], prime: "A prime" });
          for (const character of text) { growing.addPieces([character]); growing.showAll(); }
          const before = boxes();
          const written = { text, prime: "A prime", invented_words: [[2, 5]], temperature: 1 };
          growing.finish([written], false, ["Orla"]);
          return [before, boxes()];
        }"""
    )
    assert grown[0] == grown[1]
