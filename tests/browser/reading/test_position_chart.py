"""The loss by position: one line per epoch, and the explained variance."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Module, Window, eventually
from tests.browser.server_process import Server
from tests.browser.touch import touch_screen
from tests.serving import PAGES

# An epoch of this text has 159 sequences of 25 characters.
PER_EPOCH = (len(PAGES) - 1) // 25
SMALL = {"hidden_size": 8, "sample_length": 40, "pace": "max"}


@pytest.fixture(scope="module")
def corpus(server: Server) -> str:
    files = {"file": ("pages.txt", PAGES.encode())}
    return str(httpx.post(f"{server.url}api/corpora", files=files).json()["id"])


def by_page(page: Page) -> None:
    page.locator("label", has_text="by page").click()
    page.locator("#position-chart[data-drawn-epochs]").wait_for()


def drawn_epochs(page: Page) -> list[int]:
    return [
        int(n)
        for n in (page.locator("#position-chart").get_attribute("data-drawn-epochs") or "").split()
    ]


def test_the_epochs_are_overlaid_explained_and_pointed_at(
    server: Server, lasting_window: Window, corpus: str
) -> None:
    run = server.create_run(**SMALL, corpus=corpus, max_updates=7 * PER_EPOCH + 50)
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    by_page(page)
    expect(page.locator("#chart")).to_be_hidden()
    expect(page.locator("#follow")).to_be_hidden()
    eventually(lambda: drawn_epochs(page), [1, 4, 5, 6, 7, 8].__eq__, "the epochs")
    expect(page.locator("#position-plot .scatterlayer .trace")).to_have_count(6)
    explained = server.call("GET", f"runs/{run}/loss/explained")
    expect(page.locator("#position-sentence")).to_have_text(
        re.compile(
            rf"In epochs 2 to 7, {explained['share'] * 100:.0f}% of the variation of the loss is"
            r" explained by the page\. The first 7 updates of an epoch have a loss"
        )
    )
    expect(page.locator("#position-readout")).to_contain_text("epochs 1 and 4 to 8")

    box = page.locator("#position-plot .nsewdrag").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.5
    page.mouse.move(x, y)
    expect(page.locator("#position-readout")).to_have_text(
        re.compile(r"page 2, epoch \d: loss [\d.]+")
    )
    excerpt = page.locator("#position-excerpt")
    expect(excerpt).not_to_be_empty()
    words = excerpt.inner_text().strip("“”… ")
    assert words in " ".join(PAGES.split())

    epoch = epoch_pointed_at(page)
    page.mouse.click(x, y)
    # The hovered epoch stays the same and is highlighted.
    assert epoch_pointed_at(page) == epoch
    expect(page.locator("#position-crosshair")).to_be_visible()
    expect(page.locator("#reading-title")).to_contain_text("Text read at update")
    expect(page.locator("#reading-place")).to_contain_text(f"epoch {epoch}, page 2 of 3")
    page.wait_for_url(re.compile(r"at=\d+.*tab=reading.*chart=position"))
    # The URL shows it again.
    query = urlsplit(page.url).query.removeprefix(f"run={run}")
    lasting_window.open(server, run)
    expect(page.locator("#position-chart")).to_be_hidden()
    lasting_window.open(server, run, query)
    expect(page.locator("#position-chart")).to_be_visible()
    expect(page.locator("#reading-place")).to_contain_text(f"epoch {epoch}, page 2 of 3")
    page.locator("label", has_text="over time").click()
    expect(page.locator("#chart")).to_be_visible()
    expect(page.locator("#position-sentence")).to_be_hidden()

    # The keyboard moves between positions and epochs.
    page.locator("#timeline-live").click()
    by_page(page)
    pages = page.locator("#position-plot")
    expect(pages).to_have_attribute(
        "aria-valuetext", re.compile(r"mean loss, .*epochs 1 and 4 to 8")
    )
    # The notice with its buttons comes before it in the tab order.
    page.locator("#notice button").last.focus()
    page.keyboard.press("Tab")
    expect(pages).to_be_focused()
    # It starts where the newest epoch ends.
    readout = page.locator("#position-readout")
    expect(readout).to_contain_text("page 1, epoch 8")
    page.keyboard.press("PageUp")
    # The eighth epoch has not reached this bin.
    expect_pointed_at(page, 7)
    for epoch in (6, 5, 4, 1):
        page.keyboard.press("ArrowUp")
        expect_pointed_at(page, epoch)
    before = readout.inner_text()
    page.keyboard.press("ArrowRight")
    expect(readout).not_to_have_text(before)
    page.keyboard.press("End")
    expect(readout).to_contain_text("page 3, epoch 1")
    expect(pages).to_have_attribute("aria-valuenow", str(pages.get_attribute("aria-valuemax")))
    expect(page.locator("#position-excerpt")).not_to_be_empty()
    spoken = f"{readout.inner_text()}. {page.locator('#position-excerpt').inner_text()}"
    expect(pages).to_have_attribute("aria-valuetext", spoken)
    # The timeline has not moved: the arrow keys belonged to the chart.
    expect(page.locator("#timeline-live")).to_have_attribute("aria-pressed", "true")
    page.keyboard.press("Enter")
    expect(page.locator("#reading-place")).to_contain_text("epoch 1, page 3 of 3")
    page.keyboard.press("Tab")
    expect(page.locator("#position-crosshair")).to_be_hidden()


def epoch_pointed_at(page: Page) -> int:
    readout = page.locator("#position-readout")
    expect(readout).to_contain_text(re.compile(r"epoch \d+: loss"))
    found = re.search(r"epoch (\d+): loss", readout.inner_text())
    assert found is not None
    return int(found[1])


def expect_pointed_at(page: Page, epoch: int) -> None:
    expect(page.locator("#position-readout")).to_contain_text(f"epoch {epoch}: loss")


def test_the_chart_grows_live_and_says_what_is_missing(
    server: Server, lasting_window: Window, corpus: str
) -> None:
    run = server.create_run(**SMALL, corpus=corpus, max_updates=None, paused=True)
    server.call("POST", f"runs/{run}/step", {"updates": 20})
    page = lasting_window.open(server, run)
    by_page(page)
    expect(page.locator("#position-sentence")).to_have_text(
        re.compile(r"This can be computed after .*\.")
    )
    server.call("POST", f"runs/{run}/resume")
    eventually(lambda: drawn_epochs(page), lambda epochs: len(epochs) > 2, "the third epoch")
    expect(page.locator("#position-sentence")).to_contain_text("of the variation of the loss")


def test_on_a_phone_it_fits(server: Server, lasting_window: Window, corpus: str) -> None:
    run = server.create_run(**SMALL, corpus=corpus, batch_size=3, max_updates=3 * PER_EPOCH)
    lasting_window.page.set_viewport_size({"width": 390, "height": 844})
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    by_page(page)
    expect(page.locator("#position-plot")).to_contain_text("% of each part")
    expect(page.locator("#position-sentence")).to_contain_text("of the variation of the loss")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator("#position-chart").bounding_box()
    assert box is not None
    with touch_screen(page) as fingers:
        fingers.tap(box["x"] + box["width"] * 0.5, box["y"] + box["height"] * 0.5)
    expect(page.locator("#reading-title")).to_contain_text("Text read at update")
    expect(page.locator("#reading-title")).to_be_in_viewport()


def explained_loss(**figures: Any) -> dict[str, Any]:
    start = {"updates": 100, "loss": 1.44, "error": 0.2}
    return {"epochs": [2, 3, 4], "share": 0.61, "share_error": 0.01, "start": start} | figures


@pytest.mark.parametrize(
    ("figures", "sentence"),
    [
        (
            explained_loss(),
            (
                "In epochs 2 to 4, 61% of the variation of the loss is explained by the page. The"
                " first hundred updates of an epoch have a loss 1.4 nats above that of the rest"
                " (± 0.2)."
            ),
        ),
        (
            explained_loss(
                share=0.01, share_error=0.02, start={"updates": 7, "loss": -0.3, "error": 0.4}
            ),
            (
                "In epochs 2 to 4, the page explains none of the variation of the loss. The"
                " first 7 updates of an epoch have a loss 0.3 nats below that of the rest, which"
                " is within the usual variation of 7 updates (± 0.4)."
            ),
        ),
        (
            {"share": None, "unavailable": "This can be computed after the second epoch."},
            "This can be computed after the second epoch.",
        ),
    ],
)
def test_the_figures_as_a_sentence(module: Module, figures: dict[str, Any], sentence: str) -> None:
    assert module("reading/position-plot.js", "m.varianceSentence(x)", figures) == sentence


def test_bins_are_merged_to_a_visible_width(module: Module) -> None:
    pages = {
        "positions": list(range(0, 1000, 10)),
        "rows": [{"epoch": 1, "loss": [float(i) if i < 51 else None for i in range(100)]}],
    }
    assert module("reading/position-plot.js", "m.coarsen(x, 400)", pages) == pages
    coarse = module("reading/position-plot.js", "m.coarsen(x, 75)", pages)
    assert coarse["positions"] == list(range(0, 1000, 40))
    losses = coarse["rows"][0]["loss"]
    assert losses[:13] == [1.5 + 4 * i for i in range(12)] + [49.0]
    assert losses[13:] == [None] * 12


def test_the_updates_of_a_bin_are_those_that_read_it(module: Module) -> None:
    spec = {"sequence_length": 25, "order": "sequential"}
    run = {"updates_per_epoch": 159, "spec": spec}
    positions = [0, 1000, 2000]
    found = [
        module("reading/position-plot.js", "m.updatesIn(...x)", [run, positions, bin_, 2])
        for bin_ in range(3)
    ]
    assert found == [[160, 199], [200, 239], [240, 318]]
    at = module(
        "reading/position-plot.js",
        "[160, 199, 200, 318].map((u) => m.positionOfUpdate(x, u))",
        {"run": run},
    )
    assert at == [0, 975, 1000, 158 * 25]
    # In shuffled order, only that of the update whose text is shown is known.
    shuffled = {"run": run | {"spec": spec | {"order": "shuffled"}}}
    reading = {"update": 199, "position": 75}
    at = module(
        "reading/position-plot.js",
        "[160, 199].map((u) => m.positionOfUpdate(x, u))",
        shuffled | {"reading": reading},
    )
    assert at == [None, 75]


@pytest.mark.parametrize(
    ("epochs", "words"),
    [
        ([1], "epoch 1"),
        ([1, 2], "epochs 1 and 2, the newest emphasized"),
        ([1, 2, 3], "epochs 1 to 3, the newest emphasized"),
        ([1, 4, 5], "epochs 1 and 4 to 5, the newest emphasized"),
    ],
)
def test_which_epochs_are_shown(module: Module, epochs: list[int], words: str) -> None:
    rows = [{"epoch": epoch} for epoch in epochs]
    assert module("reading/position-plot.js", "m.epochsSentence(x)", rows) == words


def test_a_page_of_a_shuffled_run_opens_the_update_that_read_it(
    server: Server, lasting_window: Window, corpus: str
) -> None:
    run = server.create_run(
        **SMALL, corpus=corpus, order="shuffled", max_updates=PER_EPOCH + PER_EPOCH // 2
    )
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("#figure-book")).to_contain_text("epoch 2, 50% read")
    by_page(page)
    page.locator("#notice button").last.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("Home")
    # Epoch 1 has the highest loss.
    while epoch_pointed_at(page) != 1:
        page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    read = server.call("GET", f"runs/{run}/surprisal?epoch=1&position=0")["update"]
    # In sequential order it would be update 1.
    assert 1 < read <= PER_EPOCH
    expect(page.locator("#reading-place")).to_contain_text("epoch 1, page 1 of 3")
    expect(page).to_have_url(re.compile(rf"[#&?]at={read}\b"))
