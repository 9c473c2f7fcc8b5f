"""Controls Firefox with WebDriver BiDi, which Firefox speaks itself over a WebSocket."""

import base64
import json
import re
import signal
import subprocess
import time
from pathlib import Path

from websockets.sync.client import connect

from tests.other_browsers.driver_error import DriverError

TIMEOUT_S = 60
ADDRESS = re.compile(r"WebDriver BiDi listening on (ws://\S+)")
# Firefox reports a WebSocket that a page was still opening when it was left, in two messages.
LEFT = re.compile(r"The connection to (\S+) was interrupted while the page was loading\.")
REFUSED = "Firefox can\N{RIGHT SINGLE QUOTATION MARK}t establish a connection to the server at {}."
PREFERENCES = {
    # Nothing is fetched from elsewhere.
    "app.update.disabledForTesting": True,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "remote.prefs.recommended": True,
    "toolkit.telemetry.server": "",
}


class Firefox:
    """A Firefox without a display, with a profile of its own.

    Parameters
    ----------
    program : Path
        Firefox.
    directory : Path
        Where the profile and the log are written.
    """

    name = "firefox"

    def __init__(self, program, directory):
        profile = directory / "profile"
        profile.mkdir()
        lines = (f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in PREFERENCES.items())
        (profile / "user.js").write_text("\n".join(lines))
        log = directory / "firefox.log"
        command = [program, "--headless", "--no-remote", "--profile", profile]
        with log.open("w") as output:
            self._process = subprocess.Popen(
                [*command, "--remote-debugging-port=0", "about:blank"],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self._errors = {}
        self._commands = 0
        try:
            address = _address_in(log, self._process)
            self._connection = connect(f"{address}/session", max_size=None, proxy=None)
            self._socket = self._connection.__enter__()
            self._send("session.new", capabilities={})
            self._send("session.subscribe", events=["log.entryAdded"])
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def close(self):
        """End the browser."""
        self._connection.__exit__(None, None, None)
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(TIMEOUT_S)
        finally:
            self._process.kill()

    def open_window(self):
        """Open a window and return its id."""
        window = self._send("browsingContext.create", type="window")["context"]
        self._errors[window] = []
        return window

    def close_window(self, window):
        """Close a window."""
        self._send("browsingContext.close", context=window)

    def clear_storage(self, window):
        """Delete the cookies and the local storage."""
        self._send("storage.deleteCookies")
        self.evaluate(window, "localStorage.clear()")

    def navigate(self, window, address):
        """Open an address and wait until the page has loaded."""
        self._send("browsingContext.navigate", context=window, url=address, wait="complete")

    def resize(self, window, width, height):
        """Set the size of the page, in CSS pixels."""
        size = {"width": width, "height": height}
        self._send("browsingContext.setViewport", context=window, viewport=size)

    def evaluate(self, window, expression):
        """Return the value of a JavaScript expression."""
        answer = self._send(
            "script.evaluate",
            target={"context": window},
            expression=f"JSON.stringify(({expression}) ?? null)",
            # Firefox never answers if the page goes away while a promise is awaited.
            awaitPromise=False,
            userActivation=True,
        )
        if answer["type"] == "exception":
            raise DriverError(f"{expression}: {answer['exceptionDetails']['text']}")
        return json.loads(answer["result"]["value"])

    def perform(self, window, actions):
        """Send input: a list of action sequences as in the WebDriver standard."""
        self._send("input.performActions", context=window, actions=actions)

    def screenshot(self, window):
        """Return what the window shows, as PNG."""
        return base64.b64decode(
            self._send("browsingContext.captureScreenshot", context=window)["data"]
        )

    def errors(self, window):
        """Return the errors and warnings in the console since the window was opened."""
        self.evaluate(window, "0")  # receives the messages up to now
        errors = list(self._errors[window])
        for left in filter(None, map(LEFT.fullmatch, self._errors[window])):
            for text in (left[0], REFUSED.format(left[1])):
                if text in errors:
                    errors.remove(text)
        return errors

    def _send(self, method, **parameters):
        self._commands += 1
        number = self._commands
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv(TIMEOUT_S))
            if message["type"] == "event":
                self._take_event(message)
            elif message["id"] == number:
                if message["type"] == "error":
                    raise DriverError(f"{method}: {message['error']}: {message['message']}")
                return message["result"]

    def _take_event(self, message):
        entry = message["params"]
        window = entry["source"].get("context")
        if entry["level"] in {"error", "warn"} and window in self._errors:
            self._errors[window].append(entry["text"])


def _address_in(log, process):
    """Wait until Firefox has written the address of its WebSocket to its log."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if found := ADDRESS.search(Path(log).read_text(errors="replace")):
            return found[1]
        time.sleep(0.05)
    raise DriverError(f"Firefox does not start: {Path(log).read_text(errors='replace')}")
