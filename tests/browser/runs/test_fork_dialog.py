"""The form for a fork has the parent's settings, and sends those that differ."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.conftest import Window, eventually
from tests.browser.server_process import Server

UNUSUAL = {
    "hidden_size": 8,
    "layers": 2,
    "dropout": 0.25,
    "optimizer": "adam",
    "learning_rate_decay": 0.9,
    "clip": None,
    "init_scale": None,
    "max_updates": None,
    "sample_every": 55,
    "sample_length": 30,
    "checkpoint_every_s": 45,
    "pace": 37,
    "seed": 5,
    "watch_words": ["Orla", "Tobin"],
}


def fork_form(server: Server, window: Window, run: str) -> Page:
    page = window.open(server, run)
    page.locator("#checkpoint-open").click()
    page.locator("#checkpoint-list").get_by_role("button", name="Fork").first.click()
    expect(page.locator("#fork-dialog")).to_be_visible()
    page.locator("#fork-more summary").click()
    return page


def paused_run(server: Server, **spec: object) -> str:
    run = server.create_run(**spec)
    eventually(
        lambda: server.call("GET", f"runs/{run}")["update"], lambda update: update > 0, "an update"
    )
    server.call("POST", f"runs/{run}/pause")
    server.call("POST", f"runs/{run}/checkpoints", {})
    return run


def forked(server: Server, page: Page) -> dict[str, object]:
    before = {each["id"] for each in server.call("GET", "runs")}
    page.locator("#fork-start").click()
    expect(page.locator("#fork-dialog")).to_be_hidden()
    [fork] = eventually(
        lambda: [each for each in server.call("GET", "runs") if each["id"] not in before],
        bool,
        "the fork",
    )
    server.call("POST", f"runs/{fork['id']}/stop")
    return dict(fork["spec"])


def test_dropout_is_offered_only_between_layers(server: Server, lasting_window: Window) -> None:
    page = fork_form(server, lasting_window, paused_run(server, hidden_size=8))
    expect(page.locator("#fork-dropout")).to_be_hidden()
    expect(page.locator("#fork-clip")).to_have_value("5")
    expect(page.locator("#fork-clip_mode option:checked")).to_have_text("each entry")


def test_a_fork_has_the_parents_spec_and_every_change_arrives(
    server: Server, lasting_window: Window
) -> None:
    run = paused_run(server, **UNUSUAL)
    parent = server.call("GET", f"runs/{run}")["spec"]
    page = fork_form(server, lasting_window, run)
    for name in ("dropout", "learning_rate_decay", "sample_every", "seed", "checkpoint_every_s"):
        expect(page.locator(f"#fork-{name}")).to_have_value(str(UNUSUAL[name]))
    expect(page.locator("#fork-pace option:checked")).to_have_text("37 a second")
    expect(page.locator("#fork-watch_words")).to_have_value("Orla, Tobin")
    expect(page.locator("#fork-clip_mode option:checked")).to_have_text("not at all")
    expect(page.locator("#fork-clip")).to_be_disabled()
    expect(page.locator("#fork-clip")).to_have_value("5")
    expect(page.get_by_label("until stopped").locator("visible=true")).to_be_checked()
    expect(page.locator("#fork-max_updates")).to_be_disabled()
    spec = forked(server, page)
    assert spec | {"name": ""} == parent | {"name": ""}

    # The comparison has the same form. Its button stays when the table gets another column.
    button = page.locator(f"#compare-body tr[data-run='{run}']").get_by_label("Fork", exact=True)
    button.focus()
    server.call("PATCH", f"runs/{run}", {"sample_every": 60})
    expect(page.locator("#compare-head [data-column=sample_every]")).to_be_attached()
    expect(button).to_be_focused()
    button.press("Enter")
    expect(page.locator("#fork-dialog")).to_be_visible()
    page.locator("#fork-more summary").click()
    numbers = {"learning_rate": 0.01, "sample_every": 70, "seed": 6, "dropout": 0.5, "clip": 2.5}
    page.locator("#fork-clip_mode").select_option("norm")
    page.get_by_label("until stopped").locator("visible=true").uncheck()
    for name, number in (numbers | {"max_updates": 900_000}).items():
        page.locator(f"#fork-{name}").fill(str(number))
    page.locator("#fork-name").fill("changed")
    page.locator("#fork-pace").select_option("10")
    page.locator("#fork-watch_words").fill(" Crake ,, Vane ")
    page.get_by_label("start paused").check()
    changes = {"clip_mode": "norm", "max_updates": 900_000, "name": "changed", "pace": 10}
    changes |= {"watch_words": ["Crake", "Vane"], "paused": True}
    assert forked(server, page) == parent | numbers | changes
