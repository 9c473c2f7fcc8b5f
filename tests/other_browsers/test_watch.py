"""The main page: a run trains, is controlled, writes, and is forked."""

from tests.other_browsers.window import figure, wait_until, watch

STORY = "Old Anna went to the mill. The mill was shut, and Anna went home again.\n" * 40
SMALL = {"hidden_size": 8, "sample_length": 200}
DRAWN = "Number(document.querySelector('#chart').dataset.drawnUpdate ?? 0)"


def state(server, run):
    return server.call("GET", f"runs/{run}")


def shown_run(window):
    return window.evaluate("new URLSearchParams(location.search).get('run')")


def test_a_new_visitor_sees_the_demo_run_train(own_server, window):
    own_server.demo = True
    own_server.start()
    window.open(own_server.url)
    window.expect_text("#run-name", "The Lamps of Saltmere")
    window.expect_text("#connection-word", "^live$")
    first = window.wait_for(DRAWN)
    window.wait_for(DRAWN, lambda update: update > first)
    # The chart has a curve, and labels on its axes.
    window.wait_for(
        "document.querySelectorAll('#chart-plot .xtick text').length"
        " && document.querySelector('#chart-plot .scatterlayer path.js-line')?.getTotalLength()"
    )
    window.expect_text("#sample-text", r"\S{3}")
    window.expect_text("#tour-title", r"\S")
    window.click("#tour-close")
    window.expect_hidden("#tour")


def test_a_run_is_paced_paused_and_stepped(server, window):
    run = server.create_run(**SMALL, max_updates=None, pace=1)
    watch(window, server, run)
    window.click(".pace label", "100/s")
    window.wait_for(figure(window, "update"), lambda update: update > 30)
    assert state(server, run)["spec"]["pace"] == 100
    window.click("#pause")
    found = window.expect_text("#notice", r"Paused at update ([\d,]+)")
    paused_at = int(found[1].replace(",", ""))
    assert state(server, run)["update"] == paused_at
    window.fill("#step-count", "25")
    window.click("#step")
    window.wait_for(figure(window, "update"), lambda update: update == paused_at + 25)
    window.wait_for(DRAWN, lambda update: update == paused_at + 25)
    window.click("#pause", "Resume")
    window.wait_for(figure(window, "update"), lambda update: update > paused_at + 25)


def test_the_time_machine_shows_samples_and_a_checkpoint_is_forked(server, window):
    run = server.create_run(**SMALL, max_updates=None, sample_every=100, paused=True)
    server.call("POST", f"runs/{run}/step", {"updates": 300})
    watch(window, server, run)
    window.expect_text("#notice", "Paused at update 300")
    window.expect_text("#writing-title", "Newest sample, at update 300")
    window.press("ArrowLeft")
    window.expect_text("#writing-title", "Sample at update 200")
    window.press("Home")
    window.expect_text("#writing-title", "Sample before the first update")
    window.click("#timeline-live")
    window.expect_text("#writing-title", "Newest sample, at update 300")
    # The sample at the pointer.
    window.wait_for(DRAWN, lambda update: update == 300)
    window.hover("#chart")
    window.expect_text("#writing-title", "^Sample at update")
    window.expect_text("#chart-readout", "smooth loss")
    window.hover("#figure-update")
    window.expect_text("#writing-title", "Newest sample, at update 300")

    window.click("#checkpoint")
    window.expect_text("#checkpoint-count", "[1-9]")
    window.click("#checkpoint-open")
    window.click("#checkpoint-list button", "Fork")
    window.fill("#fork-name", "Fork in another browser")
    window.click("#fork-start")
    # The comparison draws the fork beside its parent.
    window.wait_for("location.pathname", "/compare".__eq__)
    [fork] = [each for each in server.call("GET", "runs") if each["id"] != run]
    assert fork["forked_from"]["run"] == run
    assert fork["spec"]["name"] == "Fork in another browser"
    drawn = "document.querySelector('#compare-chart').dataset.drawn ?? ''"
    window.wait_for(drawn, lambda shown: f"{run}:300" in shown and fork["id"] in shown)


def test_a_passage_of_1000_characters_is_written(server, window):
    run = server.create_run(**SMALL, max_updates=300)
    watch(window, server, run)
    window.expect_text("#notice", "Finished at update 300")
    window.click("#write")
    window.expect_text("#passage-quality", "real words")
    window.wait_for("document.querySelector('#passage').getAttribute('aria-busy') !== 'true'")
    length = "[...document.querySelector('#passage-text .prose').textContent].length"
    assert window.evaluate(length) >= 900  # without the space at ends of lines
    shown = (
        "(({ x, width }) => [x, x + width])(document.querySelector('%s').getBoundingClientRect())"
    )
    curve, passage = (window.evaluate(shown % part) for part in ("#chart", "#passage"))
    assert passage[0] >= curve[1]
    assert passage[1] <= 1440
    window.click("#passage-close")
    window.expect_hidden("#passage")


def test_a_run_starts_from_an_own_text(server, window):
    watch(window, server, server.create_run(**SMALL, paused=True))
    window.click("#new-run")
    window.expect_text("#corpus-about", "characters")
    window.choose_file("#drop-file", "anna.txt", STORY)
    window.expect_text("#corpus-about", f"{len(STORY):,} characters")
    window.expect_text("#corpus-excerpt", "Old Anna went to the mill")
    window.fill("#new-name", "Anna")
    window.fill("#new-hidden_size", "20")
    window.fill("#new-max_updates", "50")
    window.click("#new-run-start")
    window.expect_text("#run-name", "^Anna$")
    window.expect_text("#notice", "Finished at update 50")
    run = state(server, shown_run(window))
    assert run["spec"]["hidden_size"] == 20
    assert run["corpus_name"] == "anna"


def test_everything_works_from_the_keyboard(server, window):
    run = server.create_run(**SMALL, max_updates=None, pace=10)
    watch(window, server, run)
    window.press("Space")
    found = window.expect_text("#notice", r"Paused at update ([\d,]+)")
    window.expect_text("#live-region", "The run is paused at update")
    window.press("s")
    window.wait_for(figure(window, "update"), lambda update: update == int(found[1]) + 1)
    window.press("c")
    made = lambda: [each["automatic"] for each in server.call("GET", f"runs/{run}/checkpoints")]  # noqa: E731
    wait_until(made, lambda automatic: False in automatic)
    window.expect_text("#checkpoint-count", "[1-9]")
    window.press("?")
    window.expect_text("#keys", "Keyboard shortcuts|shortcuts")
    window.press("Escape")
    window.expect_hidden("#keys")
    window.press("p")
    window.expect_text("#passage-quality", "real words")
    window.press("Escape")
    window.expect_hidden("#passage")

    # A form is reached, keeps the focus, and gives it back.
    focused = "document.activeElement.id"
    window.evaluate("document.activeElement.blur()")
    window.evaluate("document.querySelector('#new-run').focus()")
    window.press("Enter")
    window.expect_text("#corpus-about", "characters")
    inside = (
        "document.activeElement === document.body || !!document.activeElement.closest('dialog')"
    )
    for _ in range(12):
        window.press("Tab")
        assert window.evaluate(inside)
    window.press("Escape")
    window.expect_hidden("#new-run-dialog")
    assert window.evaluate(focused) == "new-run"
    # The focus is visible, and leaves the button in both directions.
    window.press("Tab")
    assert window.evaluate(focused) != "new-run"
    assert window.evaluate("document.activeElement.matches(':focus-visible')")
    window.press("Tab", shift=True)
    assert window.evaluate(focused) == "new-run"
