"""A game: a hall guesses the characters of a passage one after the other, beside a network."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass, field

from server.errors import ConflictError
from server.inspection.predictions import PredictedPassage
from server.spec.run_spec import SpecError
from server.web.games.messages import (
    AnswersMessage,
    GameLiveMessage,
    GameMode,
    GameSnapshotMessage,
    RoundMessage,
    RoundResult,
    RoundResultMessage,
    RoundShare,
)
from server.web.games.scores import (
    among_choices,
    answer_bits,
    bits,
    choices_of,
    shown_characters,
)
from server.web.live.broadcast import Channel
from server.web.live.frames import to_json
from server.web.security.link_keys import is_key

__all__ = ["Game", "GameSetup"]

MAX_PLAYERS = 2_000
COUNT_INTERVAL_S = 0.5
"""The numbers of players and answers are sent at most so often."""
# A player that lags by more gets a snapshot.
MAX_LOG_MESSAGES = 32
BITS_DIGITS, SHARE_DIGITS = 3, 4


@dataclass(frozen=True, slots=True)
class GameSetup:
    """What a game is about.

    Attributes
    ----------
    run, run_name : str
        The run whose network plays.
    mode : str
        Whether players choose among four characters or type any.
    rounds : int
        One character each.
    seconds : float
        How long a round accepts answers.
    passage : PredictedPassage
        The passage, with a prediction for each round.
    """

    run: str
    run_name: str
    mode: GameMode
    rounds: int
    seconds: float
    passage: PredictedPassage


@dataclass(slots=True)
class _Player:
    """A player; `expected` says whether a round waits for the answer."""

    answers: dict[int, str] = field(default_factory=dict)
    expected: bool = True


class Game:
    """One game.

    A round is open from `start_round` until its time is over, `end_round`, or the answers of all
    players who answered in the round before or have joined since.

    Parameters
    ----------
    game_id : str
        Its id.
    key_sha256 : str
        The hash of the presenter's key.
    setup : GameSetup
        What it is about.

    Attributes
    ----------
    channel : Channel
        The messages to the players.
    used_at_s : float
        When it was started, or a round began, by `time.monotonic`.
    """

    def __init__(self, game_id: str, key_sha256: str, setup: GameSetup) -> None:
        self.id = game_id
        self.setup = setup
        self.channel = Channel(None, max_messages=MAX_LOG_MESSAGES)
        self.used_at_s = time.monotonic()
        self._key_sha256 = key_sha256
        self._vocabulary = frozenset(setup.passage.characters)
        self._players: dict[str, _Player] = {}
        self._round = 0
        self._open = False
        self._ends_at: float | None = None
        self._choices: list[str] | None = None
        self._log_p: dict[str, float] = {}
        self._votes: Counter[str] = Counter()
        self._results: list[RoundResult] = []
        self._shares: list[RoundShare] = []
        self._end_timer: asyncio.TimerHandle | None = None
        self._count_timer: asyncio.TimerHandle | None = None

    def is_key(self, key: str) -> bool:
        """Whether this is the presenter's key, compared in constant time."""
        return is_key(key, self._key_sha256)

    # -- players ----------------------------------------------------------------------------------

    def join(self, player: str) -> dict[int, str]:
        """Add a player, if it is not one yet, and return its answers by round.

        Raises
        ------
        ConflictError
            There are as many players as there may be.
        """
        return self._player(player).answers

    def answer(self, player: str, number: int, character: str) -> str:
        """Take a player's answer in a round, and return the one that counts: the first.

        Raises
        ------
        SpecError
            The character cannot be an answer.
        ConflictError
            The round has not begun or has ended.
        """
        answers = self._player(player).answers
        if number in answers:
            return answers[number]
        if number > self._round:
            raise ConflictError(f"Round {number} has not begun.")
        if number < self._round or not self._open:
            raise ConflictError(f"Round {number} has ended: this answer came too late.")
        if self._choices is not None and character not in self._choices:
            raise SpecError("character", "must be one of the choices")
        if character not in self._vocabulary:
            raise SpecError("character", "must be one that the network knows")
        answers[number] = character
        self._votes[character] += 1
        self._players[player].expected = True
        if all(number in each.answers for each in self._players.values() if each.expected):
            self._close()
        else:
            self._count_soon()
        return character

    def _player(self, player: str) -> _Player:
        found = self._players.get(player)
        if found is None:
            if len(self._players) >= MAX_PLAYERS:
                raise ConflictError(f"The limit is {MAX_PLAYERS:,} players.")
            found = self._players[player] = _Player()
            self._count_soon()
        return found

    # -- rounds -----------------------------------------------------------------------------------

    def start_round(self, number: int) -> None:
        """Start a round; does nothing if it has begun already.

        Raises
        ------
        ConflictError
            It is not the next one, or the one before it is open.
        """
        if number <= self._round:
            return
        if number > self.setup.rounds:
            raise ConflictError(f"The game has {self.setup.rounds} rounds.")
        if self._open or number > self._round + 1:
            raise ConflictError(f"Round {number} cannot begin before round {number - 1} has ended.")
        passage = self.setup.passage
        self._log_p = passage.predictions[number - 1]
        self._choices = None
        if self.setup.mode == "choices":
            self._choices = choices_of(self._log_p, self._actual(number))
            self._log_p = among_choices(self._log_p, self._choices)
        self._round, self._open, self._votes = number, True, Counter()
        self._ends_at = round(time.time() + self.setup.seconds, 3)
        self.used_at_s = time.monotonic()
        loop = asyncio.get_running_loop()
        self._end_timer = loop.call_later(self.setup.seconds, self._close)
        self._publish(
            RoundMessage(
                type="round",
                round=number,
                ends_at=self._ends_at,
                choices=self._choices,
                players=len(self._players),
            )
        )

    def end_round(self, number: int) -> None:
        """End a round before its time; does nothing if it has ended already.

        Raises
        ------
        ConflictError
            It has not begun.
        """
        if number > self._round:
            raise ConflictError(f"Round {number} has not begun.")
        if number == self._round and self._open:
            self._close()

    def _close(self) -> None:
        """End the open round, and send its result."""
        if self._end_timer is not None:
            self._end_timer.cancel()
        self._open, self._ends_at = False, None
        for player in self._players.values():
            player.expected = self._round in player.answers
        self._results.append(self._result())
        self._shares = self._shares_of_round()
        self._publish(
            RoundResultMessage(
                type="result",
                result=self._results[-1],
                shares=self._shares,
                text=self._text,
                players=len(self._players),
            )
        )

    def _result(self) -> RoundResult:
        actual = self._actual(self._round)
        options = len(self._vocabulary if self._choices is None else self._choices)
        answers = self._votes.total()
        return RoundResult(
            round=self._round,
            character=actual,
            answers=answers,
            hall_bits=_rounded(answer_bits(self._votes[actual], answers, options)),
            network_bits=_rounded(bits(self._log_p[actual])),
            right_bits=_rounded(answer_bits(1, 1, options)),
            wrong_bits=_rounded(answer_bits(0, 1, options)),
            chance_bits=_rounded(answer_bits(0, 0, options)),
        )

    def _shares_of_round(self) -> list[RoundShare]:
        shown = self._choices or shown_characters(
            self._log_p, self._votes, self._actual(self._round)
        )
        answers = max(1, self._votes.total())
        return [
            RoundShare(
                character=each,
                hall=round(self._votes[each] / answers, SHARE_DIGITS),
                network=round(math.exp(self._log_p.get(each, -math.inf)), SHARE_DIGITS),
            )
            for each in shown
        ]

    def _actual(self, number: int) -> str:
        """Return the character that is guessed in a round."""
        return self.setup.passage.text[number - 1 - self.setup.rounds]

    @property
    def _text(self) -> str:
        """The passage as far as it is known."""
        known = len(self._results)
        text = self.setup.passage.text
        return text[: len(text) - self.setup.rounds + known]

    # -- messages ---------------------------------------------------------------------------------

    async def read_snapshot(self) -> tuple[int, list[bytes]]:
        """Return a snapshot's number and frames; all later messages have higher numbers."""
        # Never a cached one: the time left in a round is counted from when it was sent.
        setup = self.setup
        content = GameSnapshotMessage(
            type="snapshot",
            mode=setup.mode,
            rounds=setup.rounds,
            seconds=math.ceil(setup.seconds),
            run=setup.run,
            run_name=setup.run_name,
            update=setup.passage.update,
            held_out=setup.passage.held_out,
            text=self._text,
            round=self._round,
            open=self._open,
            ends_at=self._ends_at,
            choices=self._choices,
            players=len(self._players),
            answered=self._votes.total() if self._open else 0,
            results=self._results,
            shares=self._shares,
            viewers=self.channel.viewers,
        )
        rest = {name: value for name, value in content.items() if name not in {"type", "viewers"}}
        return self.channel.cache_snapshot(to_json(rest))

    def close(self) -> None:
        """Disconnect everyone: the game has ended."""
        for timer in (self._end_timer, self._count_timer):
            if timer is not None:
                timer.cancel()
        self.channel.close()

    def _count_soon(self) -> None:
        if self._count_timer is None:
            loop = asyncio.get_running_loop()
            self._count_timer = loop.call_later(COUNT_INTERVAL_S, self._publish_counts)

    def _publish_counts(self) -> None:
        self._count_timer = None
        self._publish(
            AnswersMessage(
                type="answers",
                round=self._round,
                players=len(self._players),
                answered=self._votes.total() if self._open else 0,
            )
        )

    def _publish(self, message: GameLiveMessage) -> None:
        if not self.channel.closed:
            self.channel.publish(message)


def _rounded(value: float) -> float:
    return round(value, BITS_DIGITS)
