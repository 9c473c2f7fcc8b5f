"""The inference process: ``python -m server.inference``."""

from __future__ import annotations

from functools import partial

from server.checkpoints.npz import DamagedArchiveError
from server.concurrency.json_lines import JsonLineChannel
from server.inference.generator import TextGenerator

LEAVING_S = 0.5


def main() -> None:
    """Answer commands until the server leaves or says so."""
    # Nothing is kept here: nobody is there to read it, and it is written anew for whoever asks.
    line = JsonLineChannel(patience_s=LEAVING_S)
    inference = TextGenerator()
    while command := line.take():
        if command["do"] == "leave":
            break
        try:
            answer = inference.answer(command, partial(line.say_before, command["id"]))
        except (DamagedArchiveError, OSError) as error:
            answer = {"refused": str(error)}
        line.send({"answer": command["id"], **answer})
    line.close()


if __name__ == "__main__":
    main()
