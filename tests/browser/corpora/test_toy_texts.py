"""Making a toy text on the page: its task and fields, what is refused, and removing it again."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from server.corpora.toy_texts import TASKS, ToyText
from tests.browser.conftest import Window
from tests.browser.server_process import Server


def dialog(server: Server, window: Window) -> Page:
    """Open the page, the form for a run, and the dialog."""
    page = window.page
    page.goto(server.url)
    page.locator("#new-run").click()
    expect(page.locator("#corpus-about")).to_contain_text("characters")
    page.locator("#toy-open").click()
    expect(page.locator("#toy-task")).to_be_focused()
    return page


def test_each_task_shows_its_own_fields_and_a_text_is_made_chosen_and_removed(
    server: Server, window: Window
) -> None:
    page = dialog(server, window)
    for name, task in TASKS.items():
        page.locator("#toy-task").select_option(name)
        expect(page.locator(".toy-task:visible > p").first).to_have_text(task.explanation)
        fields = page.locator("#toy-form input:visible")
        names = fields.evaluate_all("inputs => inputs.map((input) => input.name)")
        assert names == [
            *(n for n in ToyText.model_fields if n in task.parameters),
            *("characters", "seed"),
        ]
        for parameter in names:
            default = ToyText.model_fields[parameter].default
            expect(page.locator(f"#toy-{parameter}")).to_have_value(str(default))
    # The answers of the example are marked.
    page.locator("#toy-task").select_option("repeat")
    line = page.locator(".toy-example:visible span").first
    text = line.inner_text()
    assert f"{text.split('.')[0]}{'.' * 10}{line.locator('u').inner_text()}" == text

    # A text is made on a phone, chosen and removed.
    page.set_viewport_size({"width": 390, "height": 844})
    window.expect_errors("422")
    page.locator("#toy-task").select_option("brackets")
    depth = page.locator("#toy-depth")
    for wrong, message in (("0", "greater than or equal to 1"), ("", "must be a whole number")):
        depth.fill(wrong)
        depth.press("Enter")
        expect(page.locator("#toy-error-depth")).to_contain_text(message)
        expect(depth).to_be_focused()
        expect(depth).to_have_attribute("aria-invalid", "true")
    page.locator("#toy-task").select_option("copy")
    page.locator("#toy-alphabet").fill("a b")
    page.locator("#toy-make").click()
    expect(page.locator("#toy-error-alphabet")).to_contain_text("U+0020, which is not a letter")
    page.locator("#toy-alphabet").fill("жאé")
    page.locator("#toy-longest").fill("4")
    page.locator("#toy-characters").fill("9000")
    page.locator("#toy-make").click()
    expect(page.locator("#toy-dialog")).to_be_hidden()
    expect(page.locator("#new-corpus option:checked")).to_have_text("Copy up to 4 letters")
    expect(page.locator("#new-name")).to_have_value("Copy up to 4 letters")
    toy = ToyText(task="copy", alphabet="жאé", longest=4, characters=9_000)
    expect(page.locator("#corpus-excerpt")).to_have_text(toy.text()[:420].strip())
    # It is removed like an upload.
    page.locator("#corpus-remove").click()
    expect(page.locator("#corpus-removed")).to_contain_text("will be deleted")
    page.locator("#corpus-undo").click()
    expect(page.locator("#new-corpus option:checked")).to_have_text("Copy up to 4 letters")
    page.locator("#corpus-remove").click()
    with page.expect_response(lambda response: response.request.method == "DELETE"):
        page.keyboard.press("Escape")
    names = [corpus["name"] for corpus in server.call("GET", "corpora")]
    assert "Copy up to 4 letters" not in names
