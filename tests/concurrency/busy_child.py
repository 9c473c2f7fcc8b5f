"""A child process whose commands are endless, unless their number of rounds is given."""

import itertools
import time
from functools import partial

from server.concurrency.json_lines import CommandCancelledError, JsonLineChannel


def main():
    channel, begun, cancelled = JsonLineChannel(timeout_s=0.5), [], []

    def work(number, rounds):
        begun.append(number)
        channel.send_partial(number, {"begun": begun})
        for _ in itertools.repeat(None) if rounds is None else range(rounds):
            channel.send_partial(number, {"round": True})
            time.sleep(0)
        return {"begun": begun, "cancelled": cancelled}

    while message := channel.receive():
        number = message["id"]
        try:
            reply = channel.run_cancellable(number, partial(work, number, message["rounds"]))
        except CommandCancelledError:
            cancelled.append(number)
            continue
        channel.send_reply(number, reply)
    channel.close()


if __name__ == "__main__":
    main()
