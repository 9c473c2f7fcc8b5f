"""A lecture: a viewer follows the presenter, looks around, and comes back."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from playwright.sync_api import Locator, Page, expect

from tests.browser.conftest import TIMEOUT_S, Window, eventually, plot_box
from tests.browser.server_process import Server


def start_lecture(page: Page) -> str:
    """Start a lecture from the header, and return the viewer link."""
    page.get_by_role("button", name="Lecture", exact=True).click()
    page.get_by_role("button", name="Start a lecture").click()
    image = page.locator("#lecture-qr")
    expect(image).to_be_visible()
    name = image.get_attribute("alt") or ""
    assert name.startswith("QR code of http://127.0.0.1")
    page.wait_for_function("() => document.querySelector('#lecture-qr').naturalWidth > 0")
    page.keyboard.press("Escape")
    expect(page.locator("#lecture-state")).to_have_text("Presenting")
    return name.removeprefix("QR code of ")


# The texts on the screen that are smaller than 24 px; those of the chart are SVG.
SMALL_TEXTS = """
() => {
  const small = [];
  let seen = 0;
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    const parent = text.parentElement;
    const range = document.createRange();
    range.selectNodeContents(text);
    const { width, height, left, right, top, bottom } = range.getBoundingClientRect();
    const outside = right <= 0 || bottom <= 0 || left >= innerWidth || top >= innerHeight;
    const shown = parent.checkVisibility({ opacityProperty: true, visibilityProperty: true });
    if (!text.data.trim() || !width || !height || outside || !shown) continue;
    if (parent.closest(".visually-hidden, noscript")) continue;
    seen += 1;
    const size = parseFloat(getComputedStyle(parent).fontSize);
    if (size < 24) small.push(`${text.data.trim()}: ${size} px`);
  }
  return { seen, small };
}
"""


def test_the_projector_layout_has_no_small_text(
    server: Server, keep_run: Callable[..., str], lasting_window: Window
) -> None:
    run = keep_run(updates=200, hidden_size=10, sample_every=100)
    lasting_window.page.set_viewport_size({"width": 1280, "height": 720})
    page = lasting_window.open(server, run)
    expect(page.locator("#chart-plot .xtick text").first).to_be_attached()
    before = page.evaluate(SMALL_TEXTS)
    assert before["small"], "the usual layout has small text, or the test does not see it"
    page.keyboard.press("b")
    expect(page.locator("header.top")).to_be_hidden()
    expect_no_small_text(page)
    assert page.evaluate(SMALL_TEXTS)["seen"] >= 10
    for shown in ("#chart", "#sample-text", "#figure-update", "#figure-loss", "#quality"):
        expect(page.locator(shown)).to_be_visible()
    for card in (".curve", ".writing"):
        box = page.locator(card).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 1280
        assert box["y"] + box["height"] <= 720
    # What is at the pointer is in one line above the plot.
    plot = plot_box(page)
    page.mouse.move(plot["x"] + plot["width"] / 2, plot["y"] + plot["height"] / 2)
    readout = page.locator("#chart-readout")
    expect(readout).to_contain_text("smooth loss")
    line = readout.bounding_box()
    assert line is not None
    assert line["y"] + line["height"] <= plot["y"] + 2
    page.mouse.move(0, 0)

    page.get_by_role("button", name="Leave the projector layout").click()
    expect(page.locator("header.top")).to_be_visible()
    expect(page.locator("#projector-leave")).to_be_hidden()
    page.wait_for_function("() => document.fullscreenElement === null")
    page.set_viewport_size({"width": 1024, "height": 768})
    page.keyboard.press("b")
    expect(page.locator("header.top")).to_be_hidden()
    title, figures = page.locator("#writing-title"), page.locator("#figure-loss")
    for element, card in ((title, ".writing"), (figures, ".curve")):
        expect(element).to_be_visible()
        assert not is_cut(element, card)
    page.locator("#tab-reading").dispatch_event("click")
    character = page.locator("#reading-character")
    expect(character).to_contain_text("Point at a character")
    expect(page.locator("#reading-loss")).to_contain_text("loss")
    for element in (character, page.locator("#reading-title"), page.locator("#reading-loss")):
        assert not is_cut(element, ".writing")
    head = page.locator("#reading .writing-head").bounding_box()
    text = page.locator("#reading-excerpt").bounding_box()
    assert head is not None
    assert text is not None
    assert head["y"] + head["height"] <= text["y"]
    expect_no_small_text(page)

    # A passage has the text alone.
    page.keyboard.press("p")
    expect(page.locator("#passage-text .prose")).to_be_visible()
    expect(page.locator("#passage-form")).to_be_hidden()
    expect_no_small_text(page)
    page.locator("#passage-close").click()
    page.keyboard.press("Escape")
    expect(page.locator("header.top")).to_be_visible()
    page.wait_for_function("() => document.fullscreenElement === null")

    # Left at once, it does not leave the page in full screen, which is entered later.
    page.keyboard.press("b")
    page.locator("body").dispatch_event("keydown", {"key": "b"})
    expect(page.locator("header.top")).to_be_visible()
    page.wait_for_function("() => document.fullscreenElement === null")


def expect_no_small_text(page: Page) -> None:
    """Plotly draws its labels again, some time after the layout has changed."""
    eventually(
        lambda: page.evaluate(SMALL_TEXTS)["small"], lambda small: small == [], "no small text"
    )


def is_cut(element: Locator, card: str) -> bool:
    """Whether a part of an element's text is outside of its box or of a card."""
    inside: bool = element.evaluate(
        """(element, card) => {
          const range = document.createRange();
          range.selectNodeContents(element);
          const [text, outer] = [range, document.querySelector(card)].map((each) =>
            each.getBoundingClientRect());
          return text.width > 0 && element.scrollWidth <= element.clientWidth + 1 &&
            text.left >= outer.left && text.right <= outer.right && text.bottom <= outer.bottom;
        }""",
        card,
    )
    return not inside


def waits_for(page: Page, part: str) -> None:
    """Wait until the address of a page contains something."""
    page.wait_for_function(
        "(part) => location.href.includes(part)", arg=part, timeout=TIMEOUT_S * 1000
    )


def test_a_new_viewer_gets_no_tour_and_a_message_covers_nothing_on_the_projector(
    server: Server, keep_run: Callable[..., str], open_window: Callable[..., Window]
) -> None:
    run = keep_run(updates=200, hidden_size=10, sample_every=100)
    presenter = open_window().open(server, run)
    viewer = open_window(first_visit=True).page
    viewer.goto(start_lecture(presenter))
    chart = viewer.locator("#chart[data-drawn-update]")
    chart.wait_for(state="attached")
    presenter.get_by_role("link", name="Inside", exact=True).click()
    waits_for(viewer, "/inside")
    # The page's scripts have run.
    expect(presenter.locator("#lecture-state")).to_have_text("Presenting")
    presenter.get_by_role("link", name="Watch", exact=True).click()
    viewer.wait_for_url(lambda url: "/inside" not in url)
    chart.wait_for(state="attached")
    expect(viewer.locator("#lecture-state")).to_have_text("Following the presenter")
    expect(viewer.locator("#tour")).to_be_hidden()

    presenter.locator("#chart[data-drawn-update]").wait_for(state="attached")
    presenter.set_viewport_size({"width": 1280, "height": 720})
    presenter.keyboard.press("b")
    expect(presenter.locator("header.top")).to_be_hidden()
    presenter.keyboard.press("q")
    expect(presenter.locator(".projector-code")).to_be_visible()
    presenter.keyboard.press("c")
    expect(presenter.locator(".toast")).to_be_visible()
    eventually(lambda: presenter.evaluate(COVERED), [].__eq__, "a message that covers nothing")


# Parts of the projector layout that overlap the message.
COVERED = """
() => {
  const message = document.querySelector(".toast").getBoundingClientRect();
  const parts = [".figures", ".projector-leave", ".projector-code", "#sample-text", "#quality"];
  return parts.filter((part) => {
    const { left, right, top, bottom } = document.querySelector(part).getBoundingClientRect();
    return left < message.right && right > message.left && top < message.bottom &&
      bottom > message.top;
  });
}
"""


# Another presenter, who shows a view after the server has counted its page.
SECOND_PRESENTER = """
(view) => {
  const { id, key } = JSON.parse(sessionStorage.getItem("hurrah-lecture"));
  const socket = new WebSocket(`ws://${location.host}/ws/lectures/${id}`);
  const send = (message) => socket.send(JSON.stringify(message));
  socket.onopen = () => send({ type: "present", key });
  socket.onmessage = ({ data }) => {
    if (JSON.parse(data).viewers !== 3) return;
    socket.onmessage = null;
    send({ type: "view", view });
  };
  window.secondPresenter = socket;
}
"""

# The middle of a character of the sample in the window.
MIDDLE_OF_CHARACTER = """
(index) => {
  const text = document.querySelector("#sample-text .prose:not(.prose-fading)");
  const walker = document.createTreeWalker(text, NodeFilter.SHOW_TEXT);
  while (walker.nextNode() && index >= walker.currentNode.data.length) {
    index -= walker.currentNode.data.length;
  }
  const range = document.createRange();
  range.setStart(walker.currentNode, index);
  range.setEnd(walker.currentNode, index + 1);
  const { left, top, width, height } = range.getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}
"""

MIDDLE_OF_RING = """
() => {
  const { left, top, width, height } =
    document.querySelector(".lecture-pointer").getBoundingClientRect();
  return [left + width / 2, top + height / 2];
}
"""


def expect_ring_at(page: Page, place: Callable[[], Sequence[float]]) -> None:
    """Wait until the ring around the presenter's pointer is at a place in the window."""
    expect(page.locator(".lecture-pointer")).to_be_visible()
    eventually(
        lambda: [*page.evaluate(MIDDLE_OF_RING), *place()],
        lambda at: abs(at[0] - at[2]) < 2 and abs(at[1] - at[3]) < 2,
        "the ring to be where the presenter points",
    )


def middle_of(element: Locator) -> tuple[float, float]:
    """Return the middle of an element in the window."""
    box = element.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def place_in_plot(page: Page, across: float, down: float) -> tuple[float, float]:
    """Return a place in the plot of the loss, from shares of its width and height."""
    box = plot_box(page)
    return box["x"] + across * box["width"], box["y"] + down * box["height"]


def test_a_viewer_follows_looks_around_and_comes_back(
    own_server: Server, open_window: Callable[..., Window]
) -> None:
    own_server.start()
    run = own_server.create_run(max_updates=200, hidden_size=10, sample_every=100)
    presenting, watching = open_window(), open_window()
    presenter, viewer = presenting.open(own_server, run), watching.page
    link = start_lecture(presenter)
    viewer.goto(link)
    state = viewer.locator("#lecture-state")
    expect(state).to_have_text("Following the presenter")
    expect(presenter.locator("#lecture-count")).to_have_text("1 viewer")
    viewer.evaluate("window.sameDocument = true")

    # A change on the same page is shown without a reload.
    presenter.keyboard.press("l")
    waits_for(viewer, "scale=")

    # Another presenter is no viewer.
    presenter.evaluate(SECOND_PRESENTER, f"/?run={run}&scale=log&tab=reading")
    reading = presenter.get_by_role("tab", name="Reading")
    expect(reading).to_have_attribute("aria-selected", "true")
    expect(presenter.locator("#lecture-count")).to_have_text("1 viewer")
    presenter.evaluate("window.secondPresenter.close()")
    presenter.get_by_role("tab", name="Writing").click()
    expect(viewer.get_by_role("tab", name="Writing")).to_have_attribute("aria-selected", "true")

    # The pointer is at the same point of the curve and the same character in another window, and
    # the hall sees the sample at the pointer.
    viewer.set_viewport_size({"width": 1100, "height": 700})
    title = viewer.locator("#writing-title")
    expect(title).to_contain_text("Newest sample")
    presenter.keyboard.press(".")
    presenter.mouse.move(*place_in_plot(presenter, 0.4, 0.7))
    pointed = presenter.locator("#writing-title")
    expect(pointed).to_contain_text("Sample at update")
    expect(title).to_have_text(pointed.inner_text())
    expect_ring_at(viewer, lambda: place_in_plot(viewer, 0.4, 0.7))
    presenter.locator("#figure-loss").hover()
    for heading in (pointed, title):
        expect(heading).to_contain_text("Newest sample")
    presenter.mouse.move(*presenter.evaluate(MIDDLE_OF_CHARACTER, 150))
    expect_ring_at(viewer, lambda: viewer.evaluate(MIDDLE_OF_CHARACTER, 150))
    # Elsewhere it is at the same element.
    presenter.locator("#figure-loss").hover()
    expect_ring_at(viewer, lambda: middle_of(viewer.locator("#figure-loss")))
    presenter.keyboard.press(".")
    expect(viewer.locator(".lecture-pointer")).to_be_hidden()

    presenter.get_by_role("tab", name="Reading").click()
    expect(viewer.get_by_role("tab", name="Reading")).to_have_attribute("aria-selected", "true")
    assert viewer.evaluate("window.sameDocument")

    # A viewer who touches a control is left alone until he follows again. A second press on the
    # button does nothing.
    viewer.get_by_role("tab", name="Writing").click()
    expect(state).to_have_text("Looking around")
    follow = viewer.get_by_role("button", name="Follow the presenter")
    follow.evaluate("(button) => { button.click(); button.click(); }")
    expect(viewer.get_by_role("tab", name="Reading")).to_have_attribute("aria-selected", "true")
    expect(state).to_have_text("Following the presenter")
    assert viewer.evaluate("document.documentElement.dataset.projector") is None
    viewer.get_by_role("tab", name="Writing").click()
    expect(state).to_have_text("Looking around")
    # The projector layout says so, too.
    viewer.keyboard.press("b")
    expect(viewer.locator("header.top")).to_be_hidden()
    expect(state).to_be_visible()
    viewer.get_by_role("button", name="Follow the presenter").click()
    expect(state).to_be_hidden()
    viewer.keyboard.press("b")
    viewer.get_by_role("tab", name="Writing").click()
    expect(state).to_have_text("Looking around")
    presenter.keyboard.press("l")
    presenter.get_by_role("link", name="Inside", exact=True).click()
    waits_for(presenter, "/inside")
    # The page's scripts have run.
    expect(presenter.locator("#lecture-state")).to_have_text("Presenting")
    presenter.get_by_role("tab", name="Units", exact=True).click()
    waits_for(presenter, "view=units")
    expect(viewer.get_by_role("tab", name="Writing")).to_have_attribute("aria-selected", "true")
    viewer.get_by_role("button", name="Follow the presenter").click()
    waits_for(viewer, "/inside")
    waits_for(viewer, "view=units")
    expect(state).to_have_text("Following the presenter")

    # A reload continues, another page is the viewer's own choice.
    viewer.reload()
    expect(state).to_have_text("Following the presenter")
    viewer.get_by_role("link", name="Wall", exact=True).click()
    expect(state).to_have_text("Looking around")
    viewer.get_by_role("button", name="Follow the presenter").click()
    waits_for(viewer, "/inside")

    # A restart of the server ends no lecture. 426 answers why a WebSocket was refused.
    for each in (presenting, watching):
        each.expect_errors("ERR_CONNECTION", "426", "503", "WebSocket")
    own_server.stop()
    own_server.start()
    expect(state).to_have_text("Following the presenter")
    presenter.get_by_role("tab", name="Text", exact=True).click()
    expect(viewer.get_by_role("tab", name="Text", exact=True)).to_have_attribute(
        "aria-selected", "true"
    )

    presenter.get_by_role("button", name="Links").click()
    presenter.get_by_role("button", name="End the lecture").click()
    expect(state).to_have_text("The lecture has ended.")
