"""An event loop whose clock jumps to the next timer, for tests of timers.

A coroutine that waits for seconds takes none, and a process that stalls changes nothing.
"""

import asyncio
import selectors


class _Selector(selectors.DefaultSelector):
    """Waits for no time; `waited_s` is how long it should have waited in all."""

    waited_s = 0.0

    def select(self, timeout=None):
        assert timeout is not None, "there is no timer, and so nothing would ever happen"
        ready = super().select(0)
        if not ready:
            self.waited_s += max(0.0, timeout)
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self):
        self._jumping = _Selector()
        super().__init__(self._jumping)

    def time(self):
        return self._jumping.waited_s


def run_with_jumping_time(coroutine):
    """Run a coroutine that uses no threads and no connections."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(coroutine)
