"""The page "Mistakes": choosing a mistake, and training it beside the right network."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from server.analysis.mistakes import described_mistakes
from tests.browser.conftest import Window, eventually
from tests.browser.server_process import Server

SMALL = "hidden_size=5&sequence_length=8&updates=40"


def trained(page: Page) -> None:
    page.locator("#training[data-done]").wait_for()


def drawn(page: Page, updates: int) -> None:
    page.locator(f"#training-plot[data-drawn='{updates}']").wait_for(state="attached")


def curves(page: Page) -> list[list[float | None]]:
    """The losses that Plotly has, of the right network and of the other one."""
    found: list[list[float | None]] = page.evaluate(
        "document.querySelector('#training-plot').data.map(({ y }) => Array.from(y))"
    )
    return found


def test_a_mistake_is_trained_beside_the_right_network_and_can_be_stopped(
    server: Server, window: Window
) -> None:
    page = window.page
    page.goto(f"{server.url}course/mistakes?{SMALL}&mistake=softmax_over_time&cell=lstm")
    expect(page.locator("nav[aria-label=Views] [aria-current]")).to_have_text("Course")
    expect(page.locator(".course-pages [aria-current]")).to_have_text("Mistakes")
    described = described_mistakes()

    # The mistake of the address is chosen, and in sight; those of another cell are others.
    expect(page.locator("#chosen-title")).to_have_text("Softmax over the wrong axis")
    inside = """(entry) => {
        const [a, b] = [entry, entry.closest("fieldset")].map((e) => e.getBoundingClientRect());
        return a.top >= b.top && a.bottom <= b.bottom;
    }"""
    assert page.locator("#mistakes-list label:has(:checked)").evaluate(inside)
    expect(page.locator("#chosen-symbols")).to_be_empty()
    listed = page.locator("#mistakes-list input")
    expect(listed).to_have_count(sum(each["min_layers"] == 1 for each in described["lstm"]))
    page.locator("#training-cell label", has_text="rnn").click()
    expect(listed).to_have_count(sum(each["min_layers"] == 1 for each in described["rnn"]))
    expect(page.locator("#chosen-title")).to_have_text("Softmax over the wrong axis")
    for layers in ("", "2"):
        page.locator("#training-layers").fill(layers)
        page.locator("#training-layers").blur()
    expect(listed).to_have_count(len(described["rnn"]))
    expect(page.locator("#all-symptoms dt")).to_have_count(len(described["rnn"]))

    # It cannot write: its probabilities of a single step do not add up to 1.
    page.locator("#training-start").click()
    trained(page)
    expect(page.locator("#sample-wrong")).to_contain_text("do not add up to 1")

    page.locator("#mistakes-list input[value=no_recurrent_gradient]").check()
    mistake = next(each for each in described["rnn"] if each["name"] == "no_recurrent_gradient")
    expect(page.locator("#chosen-lines code")).to_have_text(
        [mistake["lines"][0]["wrong"], mistake["lines"][0]["right"]]
    )
    expect(page.locator("#chosen-symptom")).to_have_text(mistake["sentence"])
    expect(page.locator("#chosen-symbols")).to_contain_text("through the output")
    # A screen reader is told the sentence alone.
    expect(page.locator(".mistakes-chosen [aria-live]")).to_have_id("chosen-symptom")
    # It may be over before the page is asked: the last result is gone when the request is sent.
    with page.expect_request("**/api/course/mistakes"):
        page.keyboard.press("r")
    trained(page)
    # The curves of the last training had as many updates.
    right, wrong = eventually(
        lambda: curves(page),
        lambda both: len(both[0]) == len(both[1]) == 40 and both[0][0] == both[1][0],
        "the curves of both networks, from the same parameters",
    )
    assert right != wrong
    expect(page.locator("#training-status")).to_contain_text("40 updates in")
    expect(page.locator("#training-words")).to_contain_text("Smooth loss after update 40: right")
    for side in ("right", "wrong"):
        assert len(page.locator(f"#sample-{side}").inner_text()) > 150

    # Two layers: the gradients of the output are right, those of the layers are not.
    results = page.locator("#training-errors td:last-child")
    expect(results).to_have_text(["✗ wrong"] * 6 + ["✓ right"] * 2)
    updates = page.locator("#training-updates-made label")
    expect(updates).to_have_text([str(update) for update in range(4, 41, 4)])
    last = page.locator("#sample-right").inner_text()
    updates.first.click()
    expect(page.locator("#sample-right")).not_to_have_text(last)

    # The address has the request.
    address = page.url
    assert "mistake=no_recurrent_gradient" in address
    assert "layers=2" in address

    # A training can be stopped.
    for name, value in (("layers", 1), ("hidden_size", 150), ("sequence_length", 100)):
        page.locator(f"#training-{name}").fill(str(value))
    page.locator("#training-updates").fill("4000")
    stop = page.locator("#training-stop")
    expect(stop).to_be_disabled()
    page.locator("#training-start").click()
    expect(page.locator("#training-status")).to_contain_text("left.")
    stop.click()
    expect(page.locator("#training-status")).to_contain_text("Stopped after update")
    expect(stop).to_be_disabled()
    expect(page.locator("#training-start")).to_be_focused()
    expect(page.locator("#training")).to_have_attribute("aria-busy", "false")

    # The process is free again at once.
    for name, value in (("hidden_size", 5), ("sequence_length", 8), ("updates", 20)):
        page.locator(f"#training-{name}").fill(str(value))
    page.locator("#training-updates").press("Enter")
    trained(page)
    drawn(page, 20)

    window.expect_errors("422")
    page.locator("#training-hidden_size").fill("400")
    page.locator("#training-start").click()
    expect(page.locator("#error-hidden_size")).to_contain_text("300")
    expect(page.locator("#training-status")).to_have_text("Press Train.")
