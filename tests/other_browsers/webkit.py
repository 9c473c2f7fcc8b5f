"""Controls WebKitGTK's MiniBrowser with WebDriver over HTTP, through WebKitWebDriver."""

import base64
import os
import socket
import subprocess
import time

import httpx

from tests.other_browsers.driver_error import DriverError

TIMEOUT_S = 60
# GTK's buttons would make a window at least 447 pixels wide; a phone has 390.
NARROW_TOOLBAR = "* { min-width: 0; padding: 0; margin: 0; border-width: 0; }"
# WebKitWebDriver passes on no console messages. Errors before the page has loaded are not seen.
RECORD_ERRORS = """
if (!window.recordedErrors) {
  window.recordedErrors = [];
  const record = (...parts) => window.recordedErrors.push(parts.map(String).join(" "));
  for (const level of ["error", "warn"]) {
    const original = console[level];
    console[level] = (...parts) => (record(...parts), original.apply(console, parts));
  }
  addEventListener("error", (event) => record(event.message));
  addEventListener("unhandledrejection", (event) => record(event.reason));
  addEventListener("securitypolicyviolation", (event) => record(event.violatedDirective));
}
"""


class WebKit:
    """A MiniBrowser on a display that only exists in memory.

    Parameters
    ----------
    driver, display : Path
        WebKitWebDriver and Xvfb.
    directory : Path
        Where settings and logs are written.
    """

    name = "webkit"

    def __init__(self, driver, display, directory):
        self._processes = []
        self._errors = {}
        try:
            number = self._start_display(display)
            (directory / "gtk-3.0").mkdir()
            (directory / "gtk-3.0" / "gtk.css").write_text(NARROW_TOOLBAR)
            with socket.create_server(("127.0.0.1", 0)) as free:
                port = free.getsockname()[1]
            settings = {"DISPLAY": f":{number}", "GDK_BACKEND": "x11", "NO_AT_BRIDGE": "1"}
            with (directory / "webkit.log").open("w") as log:
                self._start(
                    [driver, f"--port={port}"],
                    env=os.environ | settings | {"XDG_CONFIG_HOME": str(directory)},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )
            self._client = httpx.Client(
                base_url=f"http://127.0.0.1:{port}", timeout=TIMEOUT_S, trust_env=False
            )
            self._wait_until_ready()
            capabilities = {"capabilities": {"alwaysMatch": {}}}
            created = self._answer(self._client.post("/session", json=capabilities))
            self._session = f"/session/{created['sessionId']}"
            self._current = self._call("GET", "window")
            self._unused = [self._current]
        except BaseException:
            self._end_processes()
            raise

    def close(self):
        """End the browser and the display."""
        self._client.delete(self._session)
        self._client.close()
        self._end_processes()

    def open_window(self):
        """Open a window and return its id."""
        window = self._unused.pop() if self._unused else None
        if window is None:
            window = self._call("POST", "window/new", {"type": "window"})["handle"]
        self._errors[window] = []
        return window

    def close_window(self, window):
        """Close a window; the last one is left for the next test."""
        self._switch(window)
        if len(self._call("GET", "window/handles")) > 1:
            self._call("DELETE", "window")
            self._current = None
        else:
            self._call("POST", "url", {"url": "about:blank"})
            self._unused.append(window)

    def clear_storage(self, window):
        """Delete the cookies and the local storage."""
        self._switch(window)
        self._call("DELETE", "cookie")
        self.evaluate(window, "localStorage.clear()")

    def navigate(self, window, address):
        """Open an address and wait until the page has loaded."""
        self._switch(window)
        self._collect_errors(window)
        self._call("POST", "url", {"url": address})
        self._execute(RECORD_ERRORS)

    def resize(self, window, width, height):
        """Set the size of the page, in CSS pixels."""
        self._switch(window)
        self._call("POST", "window/rect", {"width": width, "height": height})
        toolbar = height - self._execute("return innerHeight")
        self._call("POST", "window/rect", {"width": width, "height": height + toolbar})

    def evaluate(self, window, expression):
        """Return the value of a JavaScript expression."""
        self._switch(window)
        # Links may have opened another page.
        self._execute(RECORD_ERRORS)
        return self._execute(f"return {expression}")

    def perform(self, window, actions):
        """Send input: a list of action sequences as in the WebDriver standard."""
        self._switch(window)
        self._call("POST", "actions", {"actions": actions})

    def screenshot(self, window):
        """Return what the window shows, as PNG."""
        self._switch(window)
        return base64.b64decode(self._call("GET", "screenshot"))

    def errors(self, window):
        """Return the errors and warnings since the window was opened."""
        self._switch(window)
        self._collect_errors(window)
        return self._errors[window]

    def _collect_errors(self, window):
        self._errors[window] += self._execute(
            "const seen = window.recordedErrors ?? []; return seen.splice(0);"
        )

    def _execute(self, script):
        return self._call("POST", "execute/sync", {"script": script, "args": []})

    def _switch(self, window):
        if window != self._current:
            self._call("POST", "window", {"handle": window})
            self._current = window

    def _call(self, method, path, body=None):
        answer = self._client.request(method, f"{self._session}/{path}", json=body)
        return self._answer(answer)

    def _answer(self, answer):
        value = answer.json()["value"]
        if not answer.is_success:
            raise DriverError(f"{value['error']}: {value['message']}")
        return value

    def _start(self, command, **options):
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **options)
        self._processes.append(process)
        return process

    def _start_display(self, program):
        screen = ["-screen", "0", "1600x1200x24", "-nolisten", "tcp"]
        display = self._start(
            [program, "-displayfd", "1", *screen],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        number = display.stdout.readline().strip()
        if not number:
            raise DriverError("Xvfb does not start.")
        return number

    def _wait_until_ready(self):
        deadline = time.monotonic() + TIMEOUT_S
        while True:
            try:
                if self._answer(self._client.get("/status"))["ready"]:
                    return
            except httpx.TransportError:
                if self._processes[-1].poll() is not None:
                    raise
            if time.monotonic() > deadline:
                raise DriverError("WebKitWebDriver does not answer.")
            time.sleep(0.05)

    def _end_processes(self):
        for process in reversed(self._processes):
            process.terminate()
            process.wait(TIMEOUT_S)
            if process.stdout:
                process.stdout.close()
