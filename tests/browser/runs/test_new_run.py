"""Starting a run from the page, with an uploaded text."""

from __future__ import annotations

import io
import json
import re
from itertools import product
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import FilePayload, Page, expect

from server.rnn.architecture import Architecture
from server.rnn.cells import CELLS
from server.spec.run_spec import RunSpec
from tests.browser.conftest import DESKTOP, Window, eventually, figure, run_in_address
from tests.browser.server_process import Server

STORY = "Old Anna went to the mill. The mill was shut, and Anna went home again.\n" * 40


def as_file(text: str, name: str = "anna.txt") -> FilePayload:
    return {"name": name, "mimeType": "text/plain", "buffer": text.encode()}


def form(server: Server, window: Window) -> Page:
    """Open the page without a run, and the form."""
    page = window.page
    page.goto(server.url)
    expect(page.locator("#empty-title")).to_be_visible()
    open_form(page)
    return page


def open_form(page: Page) -> None:
    page.locator("#new-run").click()
    expect(page.locator("#corpus-about")).to_contain_text("characters")


def advanced(page: Page) -> None:
    page.locator("#advanced summary").click()


def weights(distinct: int) -> FilePayload:
    """Weights of 20 hidden units, for row vectors, in a file named mine.npz."""
    file = io.BytesIO()
    arrays = {"Wxh": (distinct, 20), "Whh": (20, 20), "bh": (1, 20)}
    arrays |= {"Why": (20, distinct), "by": (1, distinct)}
    filled: dict[str, Any] = {name: np.full(shape, 0.01) for name, shape in arrays.items()}
    np.savez(file, **filled)
    kind = "application/octet-stream"
    return {"name": "mine.npz", "mimeType": kind, "buffer": file.getvalue()}


def drop(page: Page, *names: str) -> None:
    """Drop files of these names, each with the story, on the page."""
    dropped = page.evaluate_handle(
        "([text, names]) => { const data = new DataTransfer();"
        " for (const name of names)"
        " data.items.add(new File([text], name, { type: 'text/plain' })); return data; }",
        [STORY, names],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": dropped})


@pytest.mark.timeout(300)  # several steps on one page
def test_the_form_has_presets_and_explains_invalid_values(server: Server, window: Window) -> None:
    window.expect_errors("status of 4(15|22)")
    page = form(server, window)
    expect_presets_and_defaults(page)
    expect_the_servers_number_of_parameters(server, page)
    expect_invalid_values_to_be_explained(server, page)


def expect_presets_and_defaults(page: Page) -> None:
    preset = page.locator("#presets").get_by_role("button")
    expect(preset.filter(has_text="The assignment")).to_have_attribute("aria-pressed", "true")
    preset.filter(has_text="LSTM, batch 50").click()
    expect(page.locator("#new-sequence_length")).to_have_value("50")
    expect(page.locator("#advanced-summary")).to_contain_text("lstm, batch 50, adam")
    page.locator("#new-hidden_size").fill("90")
    expect(page.locator("#presets [aria-pressed=true]")).to_have_count(0)
    preset.filter(has_text="The assignment").click()
    expect(page.locator("#advanced-summary")).to_be_empty()
    expect(page.locator("#new-learning_rate")).to_have_value("0.1")

    # A duration has units.
    preset.filter(has_text="Big").click()
    expect(page.locator("#estimate-speed")).to_contain_text(re.compile(r": \d+ (s|min|h|days)\b"))
    preset.filter(has_text="The assignment").click()

    # An empty field shows its default.
    size = page.locator("#new-hidden_size")
    size.fill("")
    assert size.get_attribute("placeholder") == "100 by default"
    rate = page.locator("#new-learning_rate")
    assert rate.get_attribute("placeholder") == "0.1 by default"
    advanced(page)
    page.locator("#new-optimizer").select_option("adam")
    assert rate.get_attribute("placeholder") == "0.002 by default"

    # The learning rate follows the optimizer unless it was edited.
    expect(page.locator("#new-learning_rate")).to_have_value("0.002")
    page.locator("#new-learning_rate").fill("0.01")
    page.locator("#new-optimizer").select_option("sgd")
    expect(page.locator("#new-learning_rate")).to_have_value("0.01")

    # A default that depends on other fields is marked as such.
    expect(page.locator("input[name=loss_smoothing-null]")).to_be_checked()
    expect(page.locator("#new-loss_smoothing")).to_be_disabled()


def expect_the_servers_number_of_parameters(server: Server, page: Page) -> None:
    page.locator("#new-hidden_size").fill("17")
    chosen = page.locator("#new-corpus").input_value()
    (distinct,) = (
        corpus["distinct"] for corpus in server.call("GET", "corpora") if corpus["id"] == chosen
    )
    for cell, layers in product(CELLS, (1, 3)):
        page.locator("#new-cell").select_option(cell)
        page.locator("#new-layers").fill(str(layers))
        parameters = Architecture(
            vocabulary_size=distinct, hidden_size=17, cell=cell, layers=layers
        ).size
        expect(page.locator("#parameter-count")).to_have_text(f"{parameters:,} parameters")

    page.set_viewport_size({"width": 390, "height": 844})
    # A select without a width is as wide as its longest choice.
    widths = page.locator("#new-run-form .field > select").evaluate_all(
        """all => all.map((select) => {
          const width = select.getBoundingClientRect().width;
          select.style.setProperty("inline-size", "max-content", "important");
          const needed = select.getBoundingClientRect().width;
          select.style.removeProperty("inline-size");
          return [select.name, width, needed];
        })"""
    )
    assert {name for name, _, _ in widths} >= {"cell", "optimizer"}
    assert [name for name, width, needed in widths if needed > width] == []
    page.set_viewport_size(DESKTOP)


def expect_invalid_values_to_be_explained(server: Server, page: Page) -> None:
    """Each message stays until the value is corrected."""
    speed = page.locator("#estimate-speed")
    expect(speed).to_contain_text("updates per second")
    size, message = page.locator("#new-hidden_size"), page.locator("#error-hidden_size")
    expect(size).not_to_have_attribute("aria-invalid", "true")
    size.fill("0")
    expect(speed).to_have_text("No estimate. One setting is invalid.")
    expect(message).not_to_be_empty()
    expect(size).to_have_attribute("aria-invalid", "true")
    size.fill("20")
    expect(message).to_be_empty()
    expect(size).not_to_have_attribute("aria-invalid", "true")
    expect(speed).to_contain_text("updates per second")

    # The start reports each field that is invalid.
    page.locator("#new-hidden_size").fill("0")
    page.locator("#new-learning_rate").fill("-1")
    page.locator("#new-run-start").click()
    expect(page.locator("#error-hidden_size")).not_to_be_empty()
    expect(page.locator("#error-learning_rate")).not_to_be_empty()
    expect(page.locator("#new-hidden_size")).to_be_focused()
    assert server.call("GET", "runs") == []
    page.locator("#new-hidden_size").fill("20")
    page.locator("#new-learning_rate").fill("0.1")

    # An error in a closed section opens it.
    page.locator("#drop-file").set_input_files(as_file(STORY))
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(STORY):,} characters")
    page.locator("#new-batch_size").fill("1000")
    advanced(page)  # close it
    page.locator("#new-run-start").click()
    expect(page.locator("#error-batch_size")).to_be_visible()
    expect(page.locator("#error-batch_size")).to_contain_text(re.compile(r"\d"))
    expect(page.locator("#new-batch_size")).to_be_focused()
    page.locator("#new-batch_size").fill("1")

    # A bad upload shows the server's message.
    page.locator("#drop-file").set_input_files(as_file("Too short."))
    expect(page.locator("#error-corpus")).to_contain_text("at least 200")
    noise = bytes(range(256)) * 8
    page.locator("#drop-file").set_input_files(
        {"name": "noise.bin", "mimeType": "application/octet-stream", "buffer": noise}
    )
    expect(page.locator("#error-corpus")).to_contain_text("noise.bin")
    # An estimate that succeeds does not remove it.
    with page.expect_response("**/api/estimate") as estimated:
        page.locator("#new-hidden_size").fill("50")
    assert estimated.value.ok
    expect(page.locator("#estimate-speed")).to_contain_text("updates per second here")
    expect(page.locator("#error-corpus")).to_contain_text("noise.bin")
    expect(page.locator("#new-run-start")).to_be_enabled()


@pytest.mark.timeout(300)  # several steps on one page
def test_texts_are_dropped_uploaded_removed_and_read_in_an_encoding(
    server: Server, window: Window
) -> None:
    page = window.page
    page.goto(server.url)
    expect(page.locator("#empty-title")).to_be_visible()
    expect_dropped_texts_to_open_the_form(server, page)
    page.get_by_role("button", name="Cancel").click()
    expect_uploads_to_be_shown_and_removed(server, page)
    page.get_by_role("button", name="Cancel").click()
    expect_questions_about_the_encoding(server, page)


def expect_dropped_texts_to_open_the_form(server: Server, page: Page) -> None:
    drop(page, "dropped.txt")
    expect(page.locator("#new-run-dialog")).to_be_visible()
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(STORY):,} characters")

    # Of two dropped files none is used.
    before = len(server.call("GET", "corpora"))
    drop(page, "a.txt", "b.txt")
    expect(page.locator("#error-corpus")).to_have_text(
        "2 files were dropped. Add one text at a time."
    )
    assert len(server.call("GET", "corpora")) == before

    for text, name in ((STORY, "anna.txt"), (STORY, "anna.txt"), (STORY * 2, "bob.txt")):
        with page.expect_response("**/api/corpora"):
            page.locator("#drop-file").set_input_files(as_file(text, name))
        expect(page.locator("#drop-progress")).to_be_hidden()
    options = page.locator("#new-corpus option")
    expect(options.last).to_have_text("bob")
    labels = options.all_text_contents()
    same = [label for label in labels if label.startswith("anna (")]
    assert len(same) == len(set(same)) >= 2
    assert all(f"({len(STORY):,} characters, utf-8, added " in label for label in same[-2:])
    assert "The Lamps of Saltmere" in labels
    # The suggested name is that of the last text.
    expect(page.locator("#new-name")).to_have_value("bob")


def expect_uploads_to_be_shown_and_removed(server: Server, page: Page) -> None:
    before = len(server.call("GET", "corpora"))
    open_form(page)
    expect(page.locator("#estimate-speed")).to_contain_text("updates per second here")
    page.locator("#drop-file").set_input_files(
        {
            "name": "anna.txt",
            "mimeType": "text/plain",
            "buffer": STORY.replace("\n", "\r\n").encode("utf-8-sig"),
        }
    )
    expect(page.locator("#corpus-excerpt")).to_contain_text("Old Anna went to the mill.")
    # The corpus suggests a name if there is none, and removes it again.
    name = page.locator("#new-name")
    expect(name).to_have_value("anna")
    text = page.locator("#new-corpus")
    uploaded = text.input_value()
    text.select_option(label="The Lamps of Saltmere")
    expect(name).to_have_value("")
    text.select_option(uploaded)
    expect(page.locator("#corpus-facts")).to_contain_text("Anna")
    expect(page.locator("#corpus-facts")).to_contain_text("a byte-order mark removed")
    expect(page.locator("#corpus-facts")).to_contain_text("40 line ends normalised")
    expect(page.locator("#estimate-speed")).to_contain_text("epochs")

    page.locator("#corpus-remove").click()
    expect(page.locator("#new-corpus option")).to_have_count(before)
    page.locator("#corpus-undo").click()
    expect(page.locator("#corpus-excerpt")).to_contain_text("Old Anna")
    page.locator("#corpus-remove").click()
    page.get_by_role("button", name="Cancel").click()
    eventually(lambda: len(server.call("GET", "corpora")), before.__eq__, "the text to be gone")

    # The licence of Project Gutenberg is left out and put back.
    open_form(page)
    start, end = (f"*** {side} OF THE PROJECT GUTENBERG EBOOK X ***\n" for side in ("START", "END"))
    page.locator("#drop-file").set_input_files(as_file(start + STORY + end))
    whole = len(start) + len(STORY) + len(end)
    about, box = page.locator("#corpus-about"), page.locator("#corpus-licence-left-out")
    expect(about).to_contain_text(f"{whole:,} characters")
    expect(box).not_to_be_checked()
    shown = page.locator("#corpus-licence")
    expect(shown).to_contain_text(
        f"{len(start)} characters at the start and {len(end)} characters at the end"
    )
    expect(shown).to_contain_text("Old Anna went to the mill.")
    # The second click finds the box disabled until the first one is answered.
    box.evaluate("(box) => { box.click(); box.click(); }")
    expect(about).to_contain_text(f"{len(STORY):,} characters")
    expect(page.locator("#error-corpus")).to_be_empty()
    expect(page.locator("#corpus-facts")).to_contain_text("licence of Project Gutenberg left out")
    expect(page.locator("#corpus-excerpt")).to_have_text(re.compile("^Old Anna"))
    # The form may be closed before it is put back.
    page.get_by_role("button", name="Cancel").click()
    page.locator("#new-run").click()
    expect(box).to_be_checked()
    box.uncheck()
    expect(about).to_contain_text(f"{whole:,} characters")
    expect(page.locator("#corpus-facts")).not_to_contain_text("left out")
    eventually(
        lambda: [corpus["characters"] for corpus in server.call("GET", "corpora")][before:],
        [whole].__eq__,
        "the other text to be deleted",
    )
    page.locator("#new-corpus").select_option(label="The Lamps of Saltmere")
    expect(shown).to_be_hidden()


def expect_questions_about_the_encoding(server: Server, page: Page) -> None:
    """An uncertain encoding is a question that does not return when it is answered."""
    before = len(server.call("GET", "corpora"))
    open_form(page)
    text = STORY.encode() + "Qdi \u00f3 sji.\n".encode("cp1250")
    page.locator("#drop-file").set_input_files(
        {"name": "odd.txt", "mimeType": "text/plain", "buffer": text}
    )
    question = page.locator("#corpus-readings")
    expect(question).to_contain_text("Which of these lines are right?")
    choices = question.get_by_role("radio")
    expect(choices.first).to_be_checked()
    boxes = [each.bounding_box() for each in choices.all()]
    assert len({box["x"] for box in boxes if box}) == 1
    most_px = 20
    assert all(box and box["width"] <= most_px and box["height"] <= most_px for box in boxes)
    chosen = str(choices.nth(1).get_attribute("value"))
    choices.nth(1).check()
    expect(page.locator("#corpus-facts")).to_contain_text(chosen)
    expect(question.get_by_role("radio", checked=True)).to_have_value(chosen)
    eventually(
        lambda: [corpus["encoding"] for corpus in server.call("GET", "corpora")][before:],
        [chosen].__eq__,
        "the first reading to be deleted",
    )
    page.locator("#new-corpus").select_option(label="The Lamps of Saltmere")
    expect(question).to_be_hidden()

    for name in ("first.txt", "second.txt"):
        page.locator("#drop-file").set_input_files(
            {"name": name, "mimeType": "text/plain", "buffer": text}
        )
        expect(page.locator("#new-corpus option:checked")).to_have_text(name.removesuffix(".txt"))
    texts = page.locator("#new-corpus")
    # A later question does not replace an earlier one.
    texts.select_option(label="first")
    chosen = str(question.get_by_role("radio").nth(1).get_attribute("value"))
    question.get_by_role("radio").nth(1).check()
    expect(page.locator("#corpus-facts")).to_contain_text(chosen)
    page.get_by_role("button", name="Cancel").click()
    page.locator("#new-run").click()
    texts.select_option(label="first")
    expect(page.locator("#corpus-facts")).to_contain_text(chosen)
    expect(question).to_be_hidden()
    texts.select_option(label="second")
    expect(question).to_be_visible()
    # The first reading is confirmed by a click.
    question.get_by_role("radio").first.click()
    page.get_by_role("button", name="Cancel").click()
    page.locator("#new-run").click()
    texts.select_option(label="second")
    expect(page.locator("#corpus-about")).to_contain_text("characters")
    expect(question).to_be_hidden()


@pytest.mark.timeout(300)  # several steps on one page
def test_runs_start_with_the_weights_texts_and_settings_of_the_form(
    server: Server, window: Window
) -> None:
    page = form(server, window)
    window.expect_errors("422")
    expect_a_run_from_weights(server, page)
    page.get_by_role("button", name="Cancel").click()
    expect_runs_to_keep_their_texts(server, page)
    page.get_by_role("button", name="Cancel").click()
    expect_markup_to_stay_text(page)
    page.locator("#passage-close").click()
    expect_every_setting_to_reach_the_server(server, page)


def expect_a_run_from_weights(server: Server, page: Page) -> None:
    page.locator("#drop-file").set_input_files(as_file(STORY))
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(STORY):,} characters")
    about = page.locator("#weights-about")
    expect(about).to_have_text("random, from the seed")
    # Weights for another text are refused, and change nothing.
    page.locator("#weights-file").set_input_files(weights(len(set(STORY)) + 1))
    expect(page.locator("#error-weights")).to_contain_text("mine.npz is not used. The weights are")
    expect(about).to_have_text("random, from the seed")
    expect(page.locator("#new-hidden_size")).to_have_value("100")
    page.locator("#weights-file").set_input_files(weights(len(set(STORY))))
    expect(about).to_have_text("mine.npz: rnn, 20 hidden units")
    expect(page.locator("#error-weights")).to_be_empty()
    expect(page.locator("#weights-remarks")).to_contain_text("Wxh, Whh and Why are transposed")
    expect(page.locator("#new-hidden_size")).to_have_value("20")
    # A size that differs from the file's is named at its field.
    page.locator("#new-hidden_size").fill("30")
    page.locator("#new-run-start").click()
    expect(page.locator("#error-hidden_size")).to_contain_text("must be 20, as in the file")
    page.locator("#new-hidden_size").fill("20")
    page.locator("#new-max_updates").fill("5")
    page.locator("#new-run-start").click()
    expect(page.locator("#notice")).to_contain_text("Finished at update 5")
    run = server.call("GET", f"runs/{run_in_address(page)}")
    assert run["given_weights"]["file"] == "mine.npz"
    # The next run does not start from them, unless the file is chosen again.
    open_form(page)
    expect(about).to_have_text("random, from the seed")
    expect(page.locator("#weights-remarks")).to_be_hidden()


def expect_runs_to_keep_their_texts(server: Server, page: Page) -> None:
    """A run answers the question about the encoding of its text, and keeps the text."""
    open_form(page)
    page.locator("#drop-file").set_input_files(as_file(STORY))
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(STORY):,} characters")
    page.locator("#new-hidden_size").fill("20")
    characters = len(set(STORY))
    parameters = 20 * 20 + 2 * 20 * characters + 20 + characters
    expect(page.locator("#parameter-count")).to_have_text(f"{parameters:,} parameters")
    page.locator("#new-name").fill("Anna")
    page.locator("#new-max_updates").fill("50")
    page.locator("#new-sample_every").fill("10")
    page.locator("#new-run-start").click()
    expect(page.locator("#run-name")).to_have_text("Anna")
    expect(page.locator("#notice")).to_contain_text("Finished at update 50")
    run = server.call("GET", f"runs/{run_in_address(page)}")
    assert run["spec"]["hidden_size"] == 20
    assert run["parameters"] == parameters

    # A run answers the question about the encoding of its text.
    open_form(page)
    text = STORY.encode() + "Qdi \u00f3 sji.\n".encode("cp1250")
    page.locator("#drop-file").set_input_files(
        {"name": "asked.txt", "mimeType": "text/plain", "buffer": text}
    )
    expect(page.locator("#corpus-readings")).to_be_visible()
    page.locator("#new-max_updates").fill("5")
    page.locator("#new-run-start").click()
    expect(page.locator("#notice")).to_contain_text("Finished at update 5")
    page.locator("#new-run").click()
    page.locator("#new-corpus").select_option(label="asked")
    expect(page.locator("#corpus-facts")).to_contain_text("Encoding")
    expect(page.locator("#corpus-readings")).to_be_hidden()

    # A text of a run stays when its licence is left out.
    page.get_by_role("button", name="Cancel").click()
    open_form(page)
    start = "*** START OF THE PROJECT GUTENBERG EBOOK X ***\n"
    before = len(server.call("GET", "corpora"))
    page.locator("#drop-file").set_input_files(as_file(start + STORY, "used.txt"))
    expect(page.locator("#corpus-licence")).to_be_visible()
    page.locator("#new-max_updates").fill("5")
    page.locator("#new-run-start").click()
    expect(page.locator("#notice")).to_contain_text("Finished at update 5")
    page.locator("#new-run").click()
    page.locator("#new-corpus").select_option(label="used")
    page.locator("#corpus-licence-left-out").check()
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(STORY):,} characters")
    expect(page.locator("#error-corpus")).to_be_empty()
    sizes = [corpus["characters"] for corpus in server.call("GET", "corpora")][before:]
    assert sizes == [len(start + STORY), len(STORY)]


def expect_every_setting_to_reach_the_server(server: Server, page: Page) -> None:
    open_form(page)
    page.locator("#presets").get_by_role("button").filter(has_text="The assignment").click()
    advanced(page)
    page.locator("#new-clip_mode").select_option("none")
    expect(page.locator("#new-clip")).to_be_disabled()
    page.get_by_label("by fan-in").check()
    expect(page.locator("#advanced-summary")).to_have_text("no clipping, scaled by fan-in")
    page.locator("#new-hidden_size").fill("8")
    page.locator("#new-max_updates").fill("5")
    page.locator("#new-run-start").click()
    expect(page.locator("#notice")).to_contain_text("Finished at update 5")
    spec = server.call("GET", f"runs/{run_in_address(page)}")["spec"]
    assert spec["clip"] is None
    assert spec["init_scale"] is None

    open_form(page)
    page.get_by_label("by fan-in").uncheck()
    for name, value in {"cell": "gru", "optimizer": "rmsprop", "dtype": "float64"}.items():
        page.locator(f"#new-{name}").select_option(value)
    numbers = {"layers": 2, "hidden_size": 6, "batch_size": 3, "dropout": 0.1}
    more = {"learning_rate_decay": 0.9, "clip": 2.5, "validation_fraction": 0.1, "init_scale": 0.2}
    page.locator("#new-clip_mode").select_option("norm")
    for name, number in {**numbers, **more}.items():
        page.locator(f"#new-{name}").fill(str(number))
    page.locator("#new-max_updates").fill("20")
    page.locator("#new-run-start").click()
    expect(page.locator("#notice")).to_contain_text("Finished at update 20")
    spec = server.call("GET", f"runs/{run_in_address(page)}")["spec"]
    asked = {**numbers, **more, "cell": "gru", "optimizer": "rmsprop", "dtype": "float64"}
    assert {name: spec[name] for name in asked} == asked
    assert spec["clip_mode"] == "norm"
    assert spec["learning_rate"] == 0.002

    open_form(page)
    page.locator("#new-run-dialog").get_by_label("until stopped").check()
    page.locator("#new-pace").select_option("10")
    page.locator("#new-run-start").click()
    expect(page.locator("#figure-update-note")).to_contain_text("until stopped")
    eventually(lambda: figure(page, "update"), lambda update: update > 0, "the first update")


def expect_markup_to_stay_text(page: Page) -> None:
    markup = "<img src=x onerror=alert(1)> <b>Bold</b> & <script>alert(2)</script>\n" * 60
    page.on("dialog", lambda dialog: dialog.dismiss())
    open_form(page)
    page.locator("#drop-file").set_input_files(as_file(markup, "<b>evil</b>.txt"))
    expect(page.locator("#corpus-about")).to_contain_text(f"{len(markup):,} characters")
    page.locator("#new-name").fill("<i>Italic</i>")
    page.locator("#new-hidden_size").fill("8")
    page.locator("#new-max_updates").fill("1500")
    page.locator("#new-sample_every").fill("500")
    page.locator("#new-run-start").click()
    expect(page.locator("#run-name")).to_have_text("<i>Italic</i>")
    expect(page.locator("#notice")).to_contain_text("Finished")
    expect(page.locator("#sample-text")).to_contain_text("<")
    page.locator("#write").click()
    expect(page.locator("#passage-text .prose")).to_contain_text("<")
    for place in ("#sample-text", "#earlier", "#passage-text", "#run-name", "#chart"):
        assert page.locator(f"{place} :is(img, b, i, script)").count() == 0


def test_a_link_and_a_file_fill_in_the_form_and_start_nothing(
    server: Server, window: Window
) -> None:
    page = window.page
    link = "?new=cell:lstm,optimizer:adam,watch_words:Anna;mill,corpus:a1b2,corpus_name:Tales"
    page.goto(server.url + link)
    expect(page.locator("#error-corpus")).to_have_text(
        "This server does not have the text “Tales” (a1b2). Upload it here, or choose another."
    )
    expect(page.locator("#new-cell")).to_have_value("lstm")
    expect(page.locator("#new-learning_rate")).to_have_value("0.002")
    expect(page.locator("#new-watch_words")).to_have_value("Anna, mill")

    # The address follows the form.
    page.locator("#new-name").fill("Lesson 1, start")
    expect(page).to_have_url(
        re.compile(
            r"new=name:Lesson\+1%252C\+start,cell:lstm,optimizer:adam,watch_words:Anna;mill$"
        )
    )
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#spec-link").click()
    expect(page.locator("#spec-status")).to_have_text("Link copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied == f"{server.url}?{page.url.split('?')[1]}"

    with page.expect_download() as saved:
        page.locator("#spec-save").click()
    assert saved.value.suggested_filename == "hurrah-lesson-1-start-spec.json"
    spec = json.loads(saved.value.path().read_text())
    assert set(spec) == set(RunSpec.model_fields)
    assert RunSpec(**spec).model_dump() == spec | {"checkpoint_every_s": 30.0}
    assert (spec["name"], spec["watch_words"]) == ("Lesson 1, start", ["Anna", "mill"])

    # A wrong file changes nothing, a right one everything, also where it is dropped.
    wrong = as_file(json.dumps({"cell": "gru", "layers": 9}), "wrong.json")
    page.locator("#spec-file").set_input_files(wrong)
    expect(page.locator("#new-run-problem")).to_have_text(
        "wrong.json was not used. layers must be an integer from 1 to 4."
    )
    expect(page.locator("#new-cell")).to_have_value("lstm")
    dropped = page.evaluate_handle(
        "text => { const data = new DataTransfer();"
        " data.items.add(new File([text], 'right.json')); return data; }",
        json.dumps({"cell": "gru", "paused": True, "watch_words": []}),
    )
    for event in ("dragover", "drop"):
        page.dispatch_event("body", event, {"dataTransfer": dropped})
    expect(page.locator("#spec-status")).to_have_text("The settings are those of right.json.")
    expect(page.locator("#new-run-problem")).to_have_text("")
    expect(page.locator("#new-name")).to_have_value("")
    expect(page).to_have_url(re.compile(r"new=cell:gru,watch_words:,paused:true$"))
    assert server.call("GET", "runs") == []

    page.locator("#new-run-start").click()
    expect(page.locator("#run-name")).not_to_have_text("No run yet")
    expect(page).not_to_have_url(re.compile("new="))
    run = server.call("GET", f"runs/{run_in_address(page)}")
    assert (run["update"], run["spec"]["cell"], run["spec"]["watch_words"]) == (0, "gru", [])
    page.locator("#export-open").click()
    for link, name in [("samples", "samples.jsonl"), ("spec", "spec.json")]:
        address = page.locator(f"#export-{link}").get_attribute("href")
        assert address == f"/api/runs/{run['id']}/{name}"
