"""The messages of the WebSocket ``/ws/games/{id}``, from the server alone."""

from __future__ import annotations

from typing import Literal, TypedDict

from server.spec.live_messages import HeartbeatMessage, ResyncMessage, ViewersMessage

__all__ = [
    "AnswersMessage",
    "GameEnvelope",
    "GameLiveMessage",
    "GameMessage",
    "GameMode",
    "GameSnapshotMessage",
    "RoundMessage",
    "RoundResult",
    "RoundResultMessage",
    "RoundShare",
]

GameMode = Literal["choices", "typing"]


class GameEnvelope(TypedDict):
    """The fields of every message on the wire; see `server.spec.live_messages.Envelope`."""

    type: str
    seq: int
    sent_at: float


class RoundShare(TypedDict):
    """The share of the hall's answers that name a character, and the network's probability."""

    character: str
    hall: float
    network: float


class RoundResult(TypedDict):
    """The result of a round.

    All scores are ``-log2 p`` of the actual `character`; see docs/decisions/guess.md. `right_bits`
    and `wrong_bits` are those of a right and a wrong answer of a player, `chance_bits` those
    without an answer.
    """

    round: int
    character: str
    answers: int
    hall_bits: float
    network_bits: float
    right_bits: float
    wrong_bits: float
    chance_bits: float


class GameSnapshotMessage(TypedDict):
    """A game.

    `text` is the passage as far as it is known, `round` the last round that has begun, from 1; 0:
    none. `open` says whether it still accepts answers, until `ends_at`, a Unix time in seconds.
    `choices` are those of the round, null if any character can be typed. `results` are those of all
    rounds that have ended, `shares` those of the last one.
    """

    type: Literal["snapshot"]
    mode: GameMode
    rounds: int
    seconds: int
    run: str
    run_name: str
    update: int
    held_out: bool
    text: str
    round: int
    open: bool
    ends_at: float | None
    choices: list[str] | None
    players: int
    answered: int
    results: list[RoundResult]
    shares: list[RoundShare]
    viewers: int


class RoundMessage(TypedDict):
    """A round has begun."""

    type: Literal["round"]
    round: int
    ends_at: float
    choices: list[str] | None
    players: int


class AnswersMessage(TypedDict):
    """More players have joined or answered; at most twice a second."""

    type: Literal["answers"]
    round: int
    players: int
    answered: int


class RoundResultMessage(TypedDict):
    """A round has ended; `text` is the passage with its character."""

    type: Literal["result"]
    result: RoundResult
    shares: list[RoundShare]
    text: str
    players: int


GameLiveMessage = (
    RoundMessage
    | AnswersMessage
    | RoundResultMessage
    | ViewersMessage
    | ResyncMessage
    | HeartbeatMessage
)
"""Any message but the snapshot."""

GameMessage = GameSnapshotMessage | GameLiveMessage
"""Any message to a player."""
