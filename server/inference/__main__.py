"""The inference process: ``python -m server.inference``."""

from __future__ import annotations

from functools import partial

from server.checkpoints.npz import DamagedArchiveError
from server.concurrency.json_lines import CommandCancelledError, JsonLineChannel
from server.concurrency.typed_messages import UnknownMessageError
from server.course.recognition import AnswerError
from server.inference.generator import TextGenerator
from server.inference.messages import Shutdown, parse_command

# Short, because there is nothing to save: the next server starts its own inference process.
SERVER_GONE_TIMEOUT_S = 0.5


def main() -> None:
    """Carry out commands until told to shut down, or until the server is gone."""
    channel = JsonLineChannel(timeout_s=SERVER_GONE_TIMEOUT_S)
    generator = TextGenerator()
    while message := channel.receive():
        # `Shutdown` comes without a number.
        number = message.get("id", 0)
        try:
            command = parse_command(message)
            if isinstance(command, Shutdown):
                break
            send_partial = partial(channel.send_partial, number)
            reply = channel.run_cancellable(number, partial(generator.reply, command, send_partial))
        except CommandCancelledError:
            continue
        except OSError as error:
            # Its text would name a path of the server.
            reply = {"refused": error.strerror or type(error).__name__}
        except (AnswerError, DamagedArchiveError, UnknownMessageError) as error:
            reply = {"refused": str(error)}
        channel.send_reply(number, reply)
    channel.close()


if __name__ == "__main__":
    main()
