"""A lost connection, and two windows that show the same."""

from tests.other_browsers.window import figure, watch

# Firefox and WebKit word it differently.
WHILE_AWAY = (
    "WebSocket",
    "can.t establish a connection",
    "was interrupted while",
    "Could not connect",
    "Failed to load resource",
    "NetworkError",
)


def test_a_lost_connection_is_shown_and_comes_back(own_server, window):
    own_server.start()
    window.expect_errors(*WHILE_AWAY)
    watch(window, own_server, own_server.create_run(pace=20, max_updates=None, hidden_size=8))
    window.expect_text("#connection-word", "^live$")
    own_server.kill()
    window.expect_text("#connection-word", "reconnecting in")
    window.expect_text("#notice", "Not current: no news from the server since")
    own_server.start()
    window.expect_text("#connection-word", "^live$")
    window.expect_hidden("body[data-outdated]")
    window.expect_text("#notice", "Interrupted at update")
    window.click("#notice button", "Resume")
    before = window.evaluate(figure(window, "update"))
    window.wait_for(figure(window, "update"), lambda update: update > before)


def test_a_viewer_follows_a_lecture(server, open_window):
    presenter, viewer = open_window(), open_window()
    # Two windows that paint all the time would be slow without a graphics card.
    run = server.create_run(paused=True, hidden_size=8)
    server.call("POST", f"runs/{run}/step", {"updates": 100})
    watch(presenter, server, run)
    presenter.click("button", "Lecture")
    presenter.click("#lecture-start")
    link = presenter.wait_for("document.querySelector('#lecture-qr').alt").removeprefix(
        "QR code of "
    )
    presenter.wait_for("document.querySelector('#lecture-qr').naturalWidth > 0")
    presenter.press("Escape")
    presenter.expect_text("#lecture-state", "Presenting")

    viewer.open(link)
    viewer.expect_text("#lecture-state", "Following the presenter")
    presenter.expect_text("#lecture-count", "1 viewer")
    presenter.click("[role=tab]", "Reading")
    selected = "document.querySelector('[role=tab][aria-selected=true]').textContent.trim()"
    viewer.wait_for(selected, "Reading".__eq__)
    # The pointer of the presenter.
    presenter.click("#lecture-pointer")
    presenter.hover("#chart")
    viewer.wait_for("document.querySelector('.lecture-pointer')?.checkVisibility()")
    presenter.click("#lecture-pointer")
    viewer.expect_hidden(".lecture-pointer")

    viewer.click("[role=tab]", "Writing")
    viewer.expect_text("#lecture-state", "Looking around")
    presenter.click("nav a", "Inside")
    presenter.wait_for("location.pathname", "/inside".__eq__)
    viewer.click("#lecture-follow")
    viewer.wait_for("location.pathname", "/inside".__eq__)
    viewer.expect_text("#lecture-state", "Following the presenter")
