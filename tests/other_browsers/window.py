"""A browser window as the tests use it, whichever browser it belongs to."""

import json
import re
import time

from tests.other_browsers.driver_error import DriverError

TIMEOUT_S = 60
KEYS = {
    "ArrowDown": "\ue015",
    "ArrowLeft": "\ue012",
    "ArrowRight": "\ue014",
    "ArrowUp": "\ue013",
    "Control": "\ue009",
    "End": "\ue010",
    "Enter": "\ue007",
    "Escape": "\ue00c",
    "Home": "\ue011",
    "Shift": "\ue008",
    "Space": " ",
    "Tab": "\ue004",
}
# Finds the first visible element that fits a selector and has this text or label, scrolls it into
# view, and returns its middle. If another element covers it, a user could not press it either.
MIDDLE = """(() => {
  const label = (it) => it.getAttribute("aria-label") ?? it.textContent;
  const name = (it) => label(it).trim().replace(/\\s+/g, " ");
  const found = [...document.querySelectorAll(%s)].find(
    (it) => it.checkVisibility({ visibilityProperty: true }) && name(it).includes(%s),
  );
  if (!found) return "is not visible";
  if (found.matches(":disabled")) return "is disabled";
  found.scrollIntoView({ block: "nearest", inline: "nearest", behavior: "instant" });
  const box = found.getBoundingClientRect();
  const [x, y] = [Math.round(box.x + box.width / 2), Math.round(box.y + box.height / 2)];
  const hit = document.elementFromPoint(x, y);
  const ofField = hit?.closest("label")?.control === found;
  if (found.contains(hit) || hit?.contains(found) || ofField) return { x, y };
  return `is covered by ${hit?.outerHTML.slice(0, 200)}`;
})()"""


class Window:
    """A window of a browser.

    Parameters
    ----------
    browser : Firefox or WebKit
        The browser, in which a new window is opened.
    """

    def __init__(self, browser):
        self._browser = browser
        self._window = browser.open_window()
        self._expected = []
        self.resize(1440, 900)

    def close(self):
        """Close the window, and check that its pages reported no error."""
        errors = self._browser.errors(self._window)
        self._browser.clear_storage(self._window)
        self._browser.close_window(self._window)
        unexpected = [
            error
            for error in errors
            if not any(re.search(pattern, error) for pattern in self._expected)
        ]
        assert not unexpected, f"the page reported: {unexpected}"

    def expect_errors(self, *patterns):
        """Allow errors that the test itself causes."""
        self._expected.extend(patterns)

    def open(self, address):
        """Open an address and wait until the page has loaded."""
        self._browser.navigate(self._window, address)

    def resize(self, width, height):
        """Set the size of the page, in CSS pixels."""
        self._browser.resize(self._window, width, height)

    def screenshot(self):
        """Return what the window shows, as PNG."""
        return self._browser.screenshot(self._window)

    def evaluate(self, expression):
        """Return the value of a JavaScript expression."""
        return self._browser.evaluate(self._window, expression)

    def wait_for(self, expression, accepts=bool):
        """Wait until a JavaScript expression has a value that `accepts` accepts; return it."""
        return self._until(expression, accepts, expression)

    def _until(self, expression, accepts, what):
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                value = self.evaluate(expression)
            except DriverError as error:
                value = error
            else:
                if accepts(value):
                    return value
            assert time.monotonic() < deadline, f"timed out: {what}: {value!r}"
            time.sleep(0.05)

    def expect_text(self, selector, pattern):
        """Wait until an element is visible and its text contains a pattern; return the match."""
        expression = (
            f"(() => {{ const it = document.querySelector({json.dumps(selector)});"
            " return it?.checkVisibility({ visibilityProperty: true })"
            " ? it.innerText.trim() : null; })()"
        )

        def found_in(text):
            return None if text is None else re.search(pattern, text)

        return found_in(self._until(expression, found_in, f"{selector} with {pattern!r}"))

    def expect_hidden(self, selector):
        """Wait until an element is missing or not visible."""
        selected = json.dumps(selector)
        self.wait_for(
            f"!document.querySelector({selected})?.checkVisibility({{ visibilityProperty: true }})"
        )

    def hover(self, selector, name=""):
        """Move the pointer to the middle of the element that has this text or label."""
        self._point(selector, name)

    def click(self, selector, name=""):
        """Press the element that has this text or label with the mouse."""
        press = [{"type": "pointerDown", "button": 0}, {"type": "pointerUp", "button": 0}]
        self._point(selector, name, *press)

    def _point(self, selector, name, *more):
        expression = MIDDLE % (json.dumps(selector), json.dumps(name))
        before = None

        def rests(place):
            nonlocal before
            before, previous = place, before
            return isinstance(place, dict) and place == previous

        place = self._until(expression, rests, f"{selector} {name}")
        move = {"type": "pointerMove", "duration": 0} | place
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}}
        self._browser.perform(self._window, [mouse | {"actions": [move, *more]}])

    def press(self, key, *, shift=False):
        """Press a key."""
        value = KEYS.get(key, key)
        actions = [{"type": "keyDown", "value": value}, {"type": "keyUp", "value": value}]
        if shift:
            held = {"value": KEYS["Shift"]}
            actions = [{"type": "keyDown"} | held, *actions, {"type": "keyUp"} | held]
        self._press(actions)

    def type(self, text):
        """Type a text."""
        self._press(
            [{"type": kind, "value": each} for each in text for kind in ("keyDown", "keyUp")]
        )

    def _press(self, actions):
        keyboard = {"type": "key", "id": "keyboard", "actions": actions}
        self._browser.perform(self._window, [keyboard])

    def fill(self, selector, text):
        """Replace the text of a field by typing."""
        self.click(selector)
        self.evaluate(f"document.querySelector({json.dumps(selector)}).select()")
        self.type(text)

    def choose_file(self, selector, name, text):
        """Choose a file with this text in a field for files."""
        self.evaluate(
            "(() => { const chosen = new DataTransfer();"
            f" chosen.items.add(new File([{json.dumps(text)}], {json.dumps(name)}));"
            f" const field = document.querySelector({json.dumps(selector)});"
            " field.files = chosen.files;"
            " field.dispatchEvent(new Event('change', { bubbles: true })); })()"
        )


def watch(window, server, run):
    """Show a run to a returning visitor, and wait until its curve is drawn."""
    window.open(f"{server.url}static/icon.svg")
    window.evaluate("localStorage.setItem('hurrah-introduced', 'yes')")
    window.open(f"{server.url}?run={run}")
    window.wait_for("document.querySelector('#chart').dataset.drawnUpdate !== undefined")


def figure(window, name):
    """Return a JavaScript expression for the number in one of the five figures."""
    return f"Number(document.querySelector('#figure-{name}').textContent.replaceAll(',', ''))"


def wait_until(read, accepts):
    """Call `read` until `accepts` accepts its value."""
    deadline = time.monotonic() + TIMEOUT_S
    while not accepts(value := read()):
        assert time.monotonic() < deadline, f"timed out: {value!r}"
        time.sleep(0.1)
