"""The user's own losses over the chart of a run, and beside it in the comparison."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import FilePayload, Page, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import Server

OWN_LINE = "document.querySelector('#chart-plot').data.find((one) => one.name === 'your losses')"


def losses(name: str = "mine.csv", loss: float = 80.5) -> FilePayload:
    rows = "".join(f"{update};{loss}\r\n".replace(".", ",") for update in range(1, 601))
    return {"name": name, "mimeType": "text/csv", "buffer": f"update;loss\r\n{rows}".encode()}


def drop(page: Page, target: str, name: str, text: str) -> None:
    """Drop a file on an element."""
    page.evaluate(
        "([target, name, text]) => {"
        " const carried = new DataTransfer();"
        " carried.items.add(new File([text], name, { type: 'text/csv' }));"
        " for (const type of ['dragover', 'drop'])"
        " document.querySelector(target).dispatchEvent(new DragEvent(type,"
        " { bubbles: true, cancelable: true, dataTransfer: carried })); }",
        [target, name, text],
    )


def line(page: Page, what: str) -> object:
    return page.evaluate(f"{OWN_LINE}?.{what} ?? null")


def test_own_losses_are_shown_kept_compared_and_removed(
    server: Server, lasting_window: Window, open_window: Callable[..., Window]
) -> None:
    run = server.create_run(max_updates=600, hidden_size=8, sample_every=200)
    page = lasting_window.open(server, run)
    expect(page.locator("#notice")).to_contain_text("Finished at update 600")

    # A file that is dropped on the chart is shown, and nothing is kept. No form opens.
    lasting_window.expect_errors("422")
    drop(page, "#chart", "wrong.csv", "update,accuracy\n1,2\n")
    expect(page.locator("#own-problem")).to_contain_text("wrong.csv is not shown. No column")
    drop(page, "#chart", "mine.csv", losses()["buffer"].decode())
    expect(page.locator("#own-name")).to_have_text("mine.csv: 600 rows, shown here only")
    expect(page.locator("#own-problem")).to_be_empty()
    expect(page.locator("#new-run-dialog")).to_be_hidden()
    expect(page.locator("#own-comparison")).to_contain_text("part by 0.1 at update 1.")
    expect(page.locator("#own-comparison")).to_contain_text("compare from update 1,000.")
    eventually(lambda: line(page, "y[0]"), lambda y: y == 80.5, "the line")
    expect(page.locator("#legend-own")).to_be_visible()
    assert server.call("GET", f"runs/{run}")["own_losses"] is None

    # Kept, it is on every page that shows the run, and in the comparison.
    page.locator("#own-keep").press("Enter")
    expect(page.locator("#own-name")).to_have_text("mine.csv: 600 rows, kept with the run")
    expect(page.locator("#own-keep")).to_be_hidden()
    other = open_window().open(server, run)
    eventually(lambda: line(other, "y[0]"), lambda y: y == 80.5, "the line on another page")
    other.locator("#axes-open").click()
    other.locator('#axes-panel label:has(input[name="unit"][value="character"])').click()
    eventually(lambda: line(other, "y[0]"), lambda y: y == 80.5 / 25, "the line in another unit")
    compared = open_window().page
    compared.goto(f"{server.url}compare?runs={run}&y=sequence")
    expect(compared.locator("#compare-body")).to_contain_text("dotted: mine.csv")
    eventually(
        lambda: compared.evaluate(
            "[...document.querySelectorAll('#compare-chart .js-plotly-plot, #compare-plot')]"
            ".flatMap((one) => one.data ?? [])"
            ".some((one) => one.line?.dash === '1.5px,2.5px' && one.y[0] === 80.5)"
        ),
        bool,
        "the line in the comparison",
    )

    # Another file of the same size replaces it, there too.
    page.locator("#own-file").set_input_files(losses(loss=70.25))
    page.locator("#own-keep").click()
    eventually(lambda: line(other, "y[0]"), lambda y: y == 70.25 / 25, "the new line")

    # Removed from the keyboard, and put back.
    expect(page.locator("#own-remove")).to_be_focused()
    page.locator("#own-remove").press("Enter")
    removed = page.locator(".toast", has_text="Your losses were removed.")
    removed.hover()  # the time to undo does not pass meanwhile
    expect(page.locator("#own-panel")).to_be_hidden()
    expect(page.locator("#own-open")).to_be_focused()
    expect(page.locator("#own-open")).to_have_attribute("aria-pressed", "false")
    eventually(lambda: line(other, "y"), lambda y: y is None, "no line")
    removed.get_by_role("button", name="Undo").click()
    eventually(lambda: line(other, "y[0]"), lambda y: y == 70.25 / 25, "the line again")
    assert server.call("GET", f"runs/{run}")["own_losses"]["file"] == "mine.csv"
