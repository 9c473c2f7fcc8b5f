"""A game in the browser: the presenter's page and a player's phone."""

from __future__ import annotations

import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, Route, ViewportSize, expect

from tests.browser.conftest import Window, eventually
from tests.browser.lecture.test_lecture import SMALL_TEXTS
from tests.browser.server_process import Server
from tests.browser.test_accessibility import CONTRASTS, SCHEMES
from tests.browser.test_axe import grave_findings

PHONE = {"width": 390, "height": 844}
PROJECTOR: ViewportSize = {"width": 1280, "height": 720}


BUTTONS = ("#guess-next", "#guess-screen", "#guess-show-code")

OVERLAPS = """() => {
  const parts = "#guess-count, .guess-buttons .button, #guess-code, #guess-url, " +
    "#guess-unreachable, #guess-scores tr, #guess-over-reason";
  const shown = [...document.querySelectorAll(parts)].filter((each) =>
    each.checkVisibility({ visibilityProperty: true }));
  const found = [];
  shown.forEach((part, index) => {
    const box = part.getBoundingClientRect();
    const card = part.closest(".card")?.getBoundingClientRect();
    const bottom = Math.min(card?.bottom ?? innerHeight, innerHeight);
    if (box.bottom > bottom + 1 || box.height === 0) found.push(`${part.id} does not fit`);
    for (const other of shown.slice(index + 1)) {
      const { left, right, top, bottom } = other.getBoundingClientRect();
      const width = Math.min(box.right, right) - Math.max(box.left, left);
      const height = Math.min(box.bottom, bottom) - Math.max(box.top, top);
      if (width > 1 && height > 1) found.push(`${part.id} over ${other.id || other.innerText}`);
    }
  });
  return found;
}"""

# A press as soon as the text of the button has changed.
PRESS_AGAIN = """(button) => {
  const observer = new MutationObserver(() => {
    observer.disconnect();
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key: "n", bubbles: true }));
    button.dataset.pressedAgain = button.textContent;
  });
  observer.observe(button, { childList: true, characterData: true, subtree: true });
}"""


def others_answer(server: Server, game: str, number: int, characters: str) -> None:
    """Answer as other players do, one for each character."""
    for index, character in enumerate(characters):
        player = {"player": f"another-player-{index:02d}"}
        answer = {**player, "round": number, "character": character}
        assert server.call("POST", f"games/{game}/answers", answer)["character"] == character


def score(bits: float) -> re.Pattern[str]:
    """Two decimals of a score, of which a half may be rounded up or down."""
    return re.compile(re.escape(f"{bits - 1e-6:.2f}") + "|" + re.escape(f"{bits + 1e-6:.2f}"))


def expect_fits(page: Page, width: int) -> None:
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def places(page: Page) -> list[tuple[float, float]]:
    """The places of the presenter's buttons."""
    boxes = [page.locator(each).bounding_box() for each in BUTTONS]
    return [(box["x"], box["y"]) for box in boxes if box is not None]


def go_on(presenter: Page) -> None:
    """Start or end a round with the key, as soon as the page takes it."""
    expect(presenter.locator("#guess-next")).to_have_attribute("aria-disabled", "false")
    presenter.keyboard.press("n")


def press_twice(presenter: Page, next_round: Locator, then: str) -> None:
    """Press the key `n` twice, and check that the second press was ignored."""
    next_round.evaluate(PRESS_AGAIN)
    go_on(presenter)
    expect(next_round).to_have_attribute("data-pressed-again", then)
    expect(next_round).to_have_attribute("aria-disabled", "false")
    expect(next_round).to_have_text(then)


def expect_readable(page: Page) -> None:
    """Check that no text on the projector is small, cut off or covered."""
    eventually(lambda: page.evaluate(OVERLAPS), [].__eq__, "nothing cut off or covered")
    eventually(
        lambda: page.evaluate(SMALL_TEXTS),
        lambda found: found["small"] == [] and found["seen"] >= 8,
        "no small text",
    )
    for part in (".guess-main", ".guess-side"):
        box = page.locator(part).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= PROJECTOR["width"]
        assert box["y"] + box["height"] <= PROJECTOR["height"]


def test_a_player_guesses_beside_a_hall(
    server: Server, keep_run: Callable[..., str], open_window: Callable[..., Window]
) -> None:
    run = keep_run(updates=50, hidden_size=10, sample_every=50, validation_fraction=0.1)
    untrained = server.create_run(hidden_size=8, paused=True, max_updates=None)
    presenting, playing = open_window(viewport=PROJECTOR), open_window(viewport=PHONE)
    presenter, player = presenting.page, playing.page
    presenter.goto(f"{server.url}guess?run={run}")
    presenting.expect_errors("422")

    assert grave_findings(presenter) == []

    # A network without an update may play, with a warning.
    network, hint = presenter.get_by_label("Network"), presenter.locator("#hint-guess-run")
    network.select_option(untrained)
    expect(hint).to_contain_text("no update yet. It guesses at chance.")
    network.select_option(run)
    expect(hint).to_have_text("The best model of this run plays.")

    # A passage that cannot be played gets a sentence at its field.
    passage = presenter.get_by_label("Passage", exact=True)
    expect(presenter.locator("#hint-guess-passage")).to_contain_text("Leave it empty")
    passage.fill("Too short.")
    presenter.get_by_role("button", name="Start the game").click()
    expect(presenter.locator("#guess-error-text")).to_contain_text("at least 30 characters")
    expect(passage).to_be_focused()
    passage.fill("")
    presenter.get_by_label("Rounds").fill("2")
    presenter.get_by_label("Seconds to answer").fill("120")
    presenter.get_by_role("button", name="Start the game").click()
    presenter.wait_for_url("**/guess?game=*")
    image = presenter.locator("#guess-code")
    expect(image).to_be_visible()
    link = (image.get_attribute("alt") or "").removeprefix("QR code of ")
    game = link.rsplit("/", 1)[1]

    player.goto(link)
    status = player.locator("#guess-status")
    expect(status).to_contain_text("You are in.")
    expect(presenter.locator("#guess-count")).to_have_text("1 player")

    # The projector has large letters before, in and after a round.
    presenter.keyboard.press("f")
    expect(presenter.locator("header.top")).to_be_hidden()
    # The warning that other devices cannot open this address takes the most space.
    expect(presenter.locator("#guess-unreachable")).to_be_visible()
    expect_readable(presenter)
    next_round = presenter.locator("#guess-next")
    kept = places(presenter)
    press_twice(presenter, next_round, "End round 1")
    assert places(presenter) == kept
    choices = player.locator(".guess-choice")
    expect(choices.first).to_be_visible()
    expect(player.locator("#live-region")).to_contain_text("Round 1 of 2. 1: ")
    expect(player.locator("#guess-time")).to_contain_text(" s")
    expect(presenter.get_by_role("button", name="End round 1")).to_be_visible()
    expect_readable(presenter)
    expect_fits(player, PHONE["width"])
    for choice in choices.all():
        box = choice.bounding_box()
        assert box is not None
        assert min(box["width"], box["height"]) >= 48
        assert box["y"] + box["height"] <= PHONE["height"]

    # A late joiner without an answer keeps the round open. Of two taps, the first counts.
    server.call("POST", f"games/{game}/players", {"player": "a-player-who-waits"})
    offered = server.call("GET", f"games/{game}/messages")[0]["choices"]
    others_answer(server, game, 1, offered[0] * 2 + offered[2])
    choices.nth(1).dblclick()
    player.keyboard.press("3")
    expect(choices.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(status).to_contain_text("Your answer is")
    expect(presenter.locator("#guess-count")).to_have_text("4 of 5 players have answered")

    # A reload continues.
    player.reload()
    expect(choices.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(choices.nth(0)).to_have_attribute("aria-disabled", "true")
    press_twice(presenter, next_round, "Start round 2")
    assert places(presenter) == kept
    actual = player.locator("#guess-text mark")
    expect(actual).to_be_visible()
    expect(player.locator(".guess-actual")).to_contain_text("the actual character")
    shares = player.locator("#guess-shares td:nth-child(2) .guess-percent")
    expect(shares).to_have_text(["50%", "25%", "25%", "0%"])
    expect(player.locator("#live-region")).to_contain_text("The character is")
    last = server.call("GET", f"games/{game}/messages")[0]["results"][-1]
    right = last["character"] == offered[1]
    expect(status).to_contain_text("Right: " if right else "Wrong: you answered")
    own = last["right_bits" if right else "wrong_bits"]
    rows = player.locator("#guess-score-rows tr")
    expect(rows).to_have_count(4)
    expect(rows.filter(has_text="You")).to_contain_text(score(own))
    expect(rows.filter(has_text="Network")).to_contain_text(score(last["network_bits"]))
    expect_fits(player, PHONE["width"])
    expect_readable(presenter)
    presenter.keyboard.press("q")
    expect(image).to_be_visible()
    expect(presenter.locator("#guess-scores")).to_be_hidden()
    expect_readable(presenter)
    code = image.bounding_box()
    assert code is not None
    assert min(code["width"], code["height"]) >= 200
    presenter.keyboard.press("q")
    expect(presenter.locator("#guess-scores")).to_be_visible()

    # The passage is higher than its box on the phone: its beginning fades out.
    text = player.locator("#guess-text")
    text.evaluate("(text) => text.style.setProperty('max-block-size', '3em')")
    expect(text).to_have_attribute("data-cut", "")
    text.evaluate("(text) => text.scrollTo(0, 0)")
    expect(text).not_to_have_attribute("data-cut", "")
    text.evaluate("(text) => text.removeAttribute('style')")
    assert grave_findings(player) == []
    for page in (presenter, player):
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            seen = page.evaluate(CONTRASTS)
            assert [text for text in seen if text["contrast"] < 4.5] == [], scheme

    # A lost connection: the answer is sent again. If the reply is lost, too, the answer counts.
    playing.expect_errors("ERR_FAILED")
    player.route("**/answers", lambda route: route.abort())
    go_on(presenter)
    expect(player.locator("#guess-round")).to_have_text("Round 2 of 2")
    expect(choices.nth(1)).to_have_attribute("aria-disabled", "false")
    player.keyboard.press("2")
    expect(choices.nth(1)).to_have_attribute("aria-pressed", "true")
    expect(status).to_contain_text("The connection is lost.")

    def lose_reply(route: Route) -> None:
        route.fetch()
        route.abort()

    player.unroute("**/answers")
    player.route("**/answers", lose_reply)
    expect(presenter.locator("#guess-count")).to_have_text("1 of 5 players have answered")
    go_on(presenter)
    expect(status).to_have_text(re.compile("^(Right|Wrong: you answered)"))
    expect(presenter.locator("#guess-round")).to_have_text("The game is over")
    expect(presenter.locator("#guess-right")).to_contain_text("bits a character")
    expect(presenter.locator("#guess-next")).to_be_hidden()
    assert places(presenter) == kept

    presenter.keyboard.press("f")
    presenter.get_by_role("button", name="End the game").click()
    for page in (presenter, player):
        expect(page.locator("#guess-over-reason")).to_have_text("The game has ended.")
    # The scores stay.
    expect(rows).to_have_count(4)


def test_a_player_types_a_character_and_a_restart_ends_the_game(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    server = own_server
    server.start()
    run = server.create_run(hidden_size=10, validation_fraction=0.1, max_updates=50)
    state = lambda: server.call("GET", f"runs/{run}")["state"]  # noqa: E731
    eventually(state, "finished".__eq__, "the end")
    wanted = {"run": run, "mode": "typing", "rounds": 2, "seconds": 120}
    started = server.call("POST", "games", wanted)
    game, key = started["id"], started["key"]
    window = open_window(viewport=PHONE)
    page = window.page
    page.goto(started["player_url"])
    server.call("POST", f"games/{game}/players", {"player": "a-player-who-waits"})
    server.call("POST", f"games/{game}/start-round", {"key": key, "round": 1})
    field, status = (
        page.get_by_role("textbox", name="The next character"),
        page.locator("#guess-status"),
    )
    expect(field).to_be_focused()
    field.fill("ab")
    field.press("Enter")
    expect(status).to_have_text("Type one character.")
    window.expect_errors("422")
    field.fill("€")
    field.press("Enter")
    expect(status).to_contain_text("must be one that the network knows")
    page.get_by_role("button", name="space").click()
    expect(status).to_contain_text("Your answer is a space.")
    server.call("POST", f"games/{game}/end-round", {"key": key, "round": 1})
    hall = page.locator("#guess-shares tr").filter(has_text="100%")
    expect(hall.locator("th")).to_contain_text("space")

    # A presenter link makes this page the presenter's, and is not left in the address.
    page.goto(started["presenter_url"])
    expect(page.get_by_role("button", name="Start round 2")).to_be_visible()
    assert eventually(lambda: page.url, lambda url: "#" not in url, "the key to be removed")

    # A restart loses the game: the hall is told at the top, in full screen as well.
    expect(page.locator("#guess-screen")).to_be_hidden()  # its letters do not fit on a phone
    page.set_viewport_size(PROJECTOR)
    expect(page.locator("#guess-screen")).to_be_visible()
    page.keyboard.press("f")
    go_on(page)
    expect(page.locator("#guess-round")).to_have_text("Round 2 of 2")
    window.expect_errors("ERR_CONNECTION", "404", "426", "503", "WebSocket")
    server.stop()
    server.start()
    over = page.locator("#guess-over-reason")
    expect(over).to_have_text("The game has ended: the server was restarted.")
    expect(page.locator("#guess-round")).to_have_text("The game is over after 1 of 2 rounds")
    for hidden in ("#guess-status", "#guess-next", "#guess-show-code", "#guess-time"):
        expect(page.locator(hidden)).to_be_hidden()
    expect_readable(page)
    above, below = over.bounding_box(), page.locator("#guess-round").bounding_box()
    assert above is not None
    assert below is not None
    assert above["y"] < below["y"]
    page.get_by_role("button", name="Leave full screen").click()
    page.reload()
    expect(over).to_contain_text("There is no such game. A restart of the server ends all games.")
