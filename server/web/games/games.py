"""The games of a server; they are in memory alone."""

from __future__ import annotations

import time
from collections import deque

from server.errors import LimitReachedError, UnknownGameError
from server.web.games.game import Game, GameSetup
from server.web.security.link_keys import hash_key, new_id, new_key

__all__ = ["Games"]

MAX_GAMES = 20
LIFETIME_S = 86_400
"""Since a game was started, or its last round began."""
MAX_ENDED = 1_000
"""So many ended games are told from games that a restart has ended."""


class Games:
    """All games of a server."""

    def __init__(self) -> None:
        self._games: dict[str, Game] = {}
        self._ended: deque[str] = deque(maxlen=MAX_ENDED)

    def get(self, game_id: str) -> Game:
        """Return a game; raises `UnknownGameError`."""
        game = self._games.get(game_id.lower())
        if game is None or _is_over(game):
            raise UnknownGameError(ended=game is not None or game_id.lower() in self._ended)
        return game

    def check_room(self) -> None:
        """Raise `LimitReachedError` if there are as many games as there may be."""
        for game in [each for each in self._games.values() if _is_over(each)]:
            self._remove(game)
        if len(self._games) >= MAX_GAMES:
            raise LimitReachedError(f"The limit is {MAX_GAMES} games: end one first.")

    def start(self, setup: GameSetup) -> tuple[Game, str]:
        """Start a game; return it and the presenter's key, which is not stored.

        Raises
        ------
        LimitReachedError
            There are as many games as there may be.
        """
        self.check_room()
        key = new_key()
        game = Game(new_id(self._games), hash_key(key), setup)
        self._games[game.id] = game
        return game, key

    def end(self, game_id: str) -> None:
        """End a game for everyone; raises `UnknownGameError`."""
        self._remove(self.get(game_id))

    def _remove(self, game: Game) -> None:
        self._games.pop(game.id, None)
        self._ended.append(game.id)
        game.close()


def _is_over(game: Game) -> bool:
    return time.monotonic() - game.used_at_s > LIFETIME_S
