"""The gradient check page, and the mistakes that make correct gradients look wrong."""

from __future__ import annotations

import csv
import re

from playwright.sync_api import Page, Route, expect

from tests.browser.conftest import Module, Window, eventually, expect_list_of_shortcuts
from tests.browser.server_process import Server
from tests.browser.test_accessibility import CONTRASTS


def proof(server: Server, window: Window, query: str = "") -> Page:
    """Open the page and wait for the result and the chart."""
    window.page.goto(f"{server.url}gradients{query}")
    checked(window.page)
    window.page.locator("#check-plot[data-drawn-step]").wait_for(state="attached")
    return window.page


def checked(page: Page) -> None:
    expect(page.locator("#check-result")).to_have_attribute("aria-busy", "false")


def verdicts(page: Page) -> list[str]:
    return page.locator("#check-rows td:last-child").all_inner_texts()


def test_the_gradients_are_correct_and_look_wrong_with_each_mistake_also_those_of_a_run(
    server: Server, window: Window
) -> None:
    spec = {"cell": "gru", "hidden_size": 6, "layers": 2, "sequence_length": 12, "batch_size": 2}
    run = server.create_run(name="mine", paused=True, **spec)
    window.page.emulate_media(reduced_motion="reduce")
    page = proof(server, window, "?mistake=clipping")
    # Clipping first shows errors of 0.7.
    expect(page.locator("#check-rows tr").first).to_contain_text("0.72")
    for scheme in ("dark", "light"):
        page.emulate_media(color_scheme=scheme)
        seen = page.evaluate(CONTRASTS)
        assert len(seen) > 40
        assert [text for text in seen if text["contrast"] < 4.5] == [], scheme
    expect_list_of_shortcuts(page)
    page.locator("input[name=mistake][value='']").check()

    verdict, explanation = page.locator("#check-verdict"), page.locator("#check-explanation")
    correct, wrong = "The gradients are correct.", "The gradients are correct, but look wrong."
    expect(verdict).to_have_text(correct)
    expect(page.locator("#check-worst")).to_contain_text("1,650 entries in float64")
    names = page.locator("#check-rows th").all_inner_texts()
    assert [name[0] for name in names] == ["U", "W", "b", "V", "c"]
    assert verdicts(page) == ["✓ correct"] * 5
    expect(page.locator("#check-maps canvas")).to_have_count(5)

    # Every entry is described under the pointer.
    readout = page.locator("#check-readout")
    page.locator("#check-maps canvas").nth(1).focus()
    page.keyboard.press("ArrowRight")
    expect(readout).to_contain_text("W[")
    expect(readout).to_contain_text("by complex step")
    page.locator("#check-maps canvas").first.hover(position={"x": 3, "y": 3})
    expect(readout).to_contain_text("U[0, 0]")

    overflow = "document.documentElement.scrollWidth - innerWidth"
    for width, height in ((1024, 844), (390, 844), (1440, 900)):
        page.set_viewport_size({"width": width, "height": height})
        eventually(lambda: page.evaluate(overflow), lambda pixels: pixels <= 0, "no overflow")

    # A step that is too small.
    result = page.locator("#check-step-result")
    expect(result).to_contain_text("✓ With a step of 0.005")
    page.locator("#check-step").fill("-9")
    expect(result).to_contain_text("✗ With a step of 1e−9")
    expect(page.locator("#check-plot")).to_have_attribute("data-drawn-step", "1e−9")
    expect(verdict).to_have_text(wrong)
    expect(explanation).to_contain_text("rounding errors dominate")
    page.locator("#check-step-best").click()
    expect(result).to_contain_text("✓ With a step of 0.005")
    expect(verdict).to_have_text(correct)

    reasons = {
        "clipping": "Compare first",
        "float32": "check in float64",
        "state": "Restore the carried",
    }
    for mistake, why in reasons.items():
        page.locator(f"input[name=mistake][value={mistake}]").check()
        expect(explanation).to_contain_text(why)
        checked(page)
        expect(verdict).to_have_text(wrong)
        assert "✗ wrong" in verdicts(page)
        expect(page.locator("#check-maps figcaption").first).to_contain_text("wrong")
    page.locator("input[name=mistake][value='']").check()
    expect(verdict).to_have_text(correct)

    # A slow check shows no earlier verdict.
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    page.route("**/api/gradient-check", hold)
    page.locator("[name=cell][value=gru]").check()
    page.locator("#check-start").click()
    expect(verdict).to_have_text("Checking …")
    expect(page.locator("#check-of")).to_contain_text("gru")
    expect(page.locator("#check-rows tr")).to_have_count(0)
    # Requests reach `hold` only while the page is asked something.
    eventually(lambda: (page.title(), held)[1], bool, "the request")
    # Requests that come now are not held.
    page.route("**/api/gradient-check", lambda route: route.continue_())
    for route in held:
        route.continue_()
    expect(verdict).to_have_text(correct)

    # An invalid request is reported at its field.
    window.expect_errors("status of 422")
    page.locator("[name=cell][value=rnn]").check()
    page.locator("#check-hidden_size").fill("128")
    page.locator("#check-start").click()
    expect(page.locator("#error-hidden_size")).to_contain_text("20,000")
    page.locator("#check-hidden_size").fill("5")
    page.locator("#check-start").click()
    expect(page.locator("#check-rows")).to_contain_text("5 × 30")
    expect(page.locator("#error-hidden_size")).to_be_empty()

    # The network and the text of a run.
    page.locator("#check-run").select_option(run)
    watch = page.get_by_role("link", name="Watch", exact=True)
    expect(watch).to_have_attribute("href", f"/?run={run}")
    about = page.locator("#check-of")
    expect(about).to_contain_text("gru, 2 layers of 6 units, sequences of 12, batch 2, the text")
    expect(page.locator("#check-verdict")).to_have_text("The gradients are correct.")
    corpus = server.call("GET", "corpora/the-lamps-of-saltmere/text?from=0&to=26")["text"]
    expect(page.locator("#check-text")).to_have_value(corpus)
    rows = page.locator("#check-rows")
    expect(rows).to_contain_text(f"{len(set(corpus))}")
    checked(page)


def test_a_large_run_is_checked_in_a_smaller_size(module: Module) -> None:
    sizes = module(
        "gradients/run-sizes.js",
        "m.checkableSizes(x, 'The quick brown fox jumps. '.repeat(60),"
        " (s, K) => s.hidden_size * (s.hidden_size + 2 * K))",
        {
            "cell": "lstm",
            "layers": 2,
            "hidden_size": 512,
            "sequence_length": 50,
            "batch_size": 50,
        },
    )
    assert sizes["reduced"]
    small = sizes["sizes"]
    assert small["cell"] == "lstm"
    assert small["sequence_length"] * small["batch_size"] <= 500
    assert len(sizes["text"]) == (small["sequence_length"] + 1) * small["batch_size"]


def test_the_url_contains_the_request_an_invalid_one_has_no_verdict_and_the_table_is_copied(
    server: Server, window: Window
) -> None:
    window.expect_errors("status of 422")
    window.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page = proof(server, window, "?cell=gru&layers=2&hidden_size=4&batch_size=3")
    names = page.locator("#check-rows th").all_inner_texts()
    assert {name.split()[0] for name in names} >= {"U1", "W1", "U2", "W2", "V", "c"}
    method = page.locator("#check-method")
    expect(method.locator("[data-method=gru]")).to_be_visible()
    expect(method.locator("[data-method=rnn]")).to_be_hidden()
    page.locator("input[name=cell][value=lstm]").check()
    expect(method.locator("[data-method=gru]")).to_be_hidden()
    expect(method).to_contain_text("c[t] = f[t] * c[t - 1] + i[t] * g[t]")
    expect(page.locator("#check-rows")).to_contain_text("16 × 30")
    expect(page).to_have_url(re.compile("cell=lstm.*batch_size=3"))

    # Another network, which is too large.
    about = page.locator("#check-of")
    expect(about).to_have_text("lstm, 2 layers of 4 units, sequences of 10, batch 3, seed 0")
    page.locator("#check-hidden_size").fill("128")
    page.locator("input[name=cell][value=gru]").check()
    expect(page.locator("#check-verdict")).to_have_text("Not checked.")
    expect(about).to_contain_text("gru, 2 layers of 128 units")
    expect(page.locator("#check-rows tr")).to_have_count(0)
    expect(page.locator("#check-maps")).to_be_hidden()
    expect(page.locator("#check-hidden_size")).to_have_attribute("aria-invalid", "true")
    page.locator("#check-hidden_size").fill("3")
    page.locator("#check-start").click()
    expect(page.locator("#check-verdict")).to_have_text("The gradients are correct.")
    expect(about).to_contain_text("gru, 2 layers of 3 units")
    expect(page.locator("#check-maps")).to_be_visible()

    # The table for a report.
    page.locator("input[name=cell][value=rnn]").check()
    expect(about).to_contain_text("rnn, 2 layers of 3 units")
    expect(page.locator("#check-verdict")).to_have_text("The gradients are correct.")

    def copied(words: str) -> str:
        page.locator("#check-copy").get_by_role("button", name=words).click()
        expect(page.locator(".toast").last).to_contain_text(f"copied as {words}")
        return str(page.evaluate("navigator.clipboard.readText()"))

    markdown = copied("Markdown").splitlines()
    assert markdown[0].startswith("Greatest relative errors: rnn, 2 layers of 3 units")
    assert markdown[2].startswith("| parameter | shape |")
    assert sum(line.endswith("| correct |") for line in markdown) == 8
    table = list(csv.reader(copied("CSV").splitlines()))
    assert [len(row) for row in table] == [5] * 9
    assert float(table[1][2]) < 1e-10
    latex = copied("LaTeX")
    assert "$U_{1}$ & $3 \\times 30$" in latex
    assert r"\times 10^{-" in latex
    assert latex.count(r"\\") == 9
