"""Games: start, links, players and their answers, rounds, end; and the live messages."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Request, WebSocket
from pydantic import BaseModel, Field
from starlette.responses import RedirectResponse, Response

from server.errors import UnknownGameError
from server.inspection.predictions import MAX_PASSAGE_CHARACTERS
from server.spec.run_spec import StrictModel
from server.web.dependencies import ServicesDep
from server.web.games.game import Game, GameSetup
from server.web.games.messages import GameMode
from server.web.http.problems import Problem
from server.web.lectures.links import is_reachable, page_address, qr_code
from server.web.live.polling import channel_messages
from server.web.live.websocket import accept, parse_cursor, serve_channel

__all__ = ["GameLinks", "GameRequest", "PlayerAnswers", "StartedGame", "router"]

router = APIRouter()

ENDED = "The game has ended."
MAX_KEY_CHARACTERS = 200

Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{16,64}$")]


class GameRequest(StrictModel):
    """A request to start a game.

    Attributes
    ----------
    run : str
        The run whose best network plays.
    mode : str
        "choices": players choose among four characters; "typing": they type any.
    rounds : int
        How many characters are guessed.
    seconds : int
        How long each round accepts answers.
    text : str or None
        The passage, whose last characters are guessed; None: a random one from the validation part
        of the run's text.
    """

    run: str = Field(min_length=1, max_length=64)
    mode: GameMode = "choices"
    rounds: int = Field(10, ge=1, le=50)
    seconds: int = Field(20, ge=5, le=120)
    text: str | None = Field(None, max_length=MAX_PASSAGE_CHARACTERS)


class GameLinks(BaseModel):
    """A game's id and the address for players.

    `reachable` is false if the address is one of this machine alone.
    """

    id: str
    player_url: str
    reachable: bool


class StartedGame(GameLinks):
    """A game that was just started.

    The page at `presenter_url` presents; the key in it is not stored and cannot be read again.
    """

    key: str
    presenter_url: str


class PlayerRequest(StrictModel):
    """A player, known by a random token that its browser has chosen."""

    player: Token


class AnswerRequest(PlayerRequest):
    """A player's answer in a round."""

    round: int = Field(ge=1)
    character: str = Field(min_length=1, max_length=1)


class RoundAnswer(BaseModel):
    """The answer of a player that counts in a round."""

    round: int
    character: str


class PlayerAnswers(BaseModel):
    """The answers of a player."""

    answers: list[RoundAnswer]


class RoundRequest(StrictModel):
    """A presenter's request about a round."""

    key: str = Field(max_length=MAX_KEY_CHARACTERS)
    round: int = Field(ge=1)


def _links(game: Game, request: Request, services: ServicesDep) -> GameLinks:
    on_loopback = services.settings.on_loopback
    address = page_address(request, f"/g/{game.id}", on_loopback=on_loopback)
    return GameLinks(id=game.id, player_url=address, reachable=is_reachable(address))


@router.post("/api/games", status_code=201, tags=["games"])
async def start_game(request: Request, services: ServicesDep, wanted: GameRequest) -> StartedGame:
    """Start a game on a passage that the run's network was not trained on."""
    services.games.check_room()
    controller = services.supervisor.get(wanted.run)
    with controller.reading():
        passage = await services.predictions.predict(controller, wanted.text, wanted.rounds)
    run = controller.run
    setup = GameSetup(run.id, run.name, wanted.mode, wanted.rounds, wanted.seconds, passage)
    game, key = services.games.start(setup)
    links = _links(game, request, services)
    address = f"{links.player_url}#present={key}"
    return StartedGame(**links.model_dump(), key=key, presenter_url=address)


@router.get("/api/games/{game_id}", tags=["games"])
async def read_game(game_id: str, request: Request, services: ServicesDep) -> GameLinks:
    """Return the address for players."""
    return _links(services.games.get(game_id), request, services)


@router.delete("/api/games/{game_id}", status_code=204, tags=["games"])
async def end_game(game_id: str, services: ServicesDep) -> None:
    """End a game for everyone."""
    services.games.end(game_id)


@router.get("/api/games/{game_id}/qr.svg", tags=["games"], response_class=Response)
async def draw_qr_code(game_id: str, request: Request, services: ServicesDep) -> Response:
    """Return the address for players as a QR code, an image in SVG."""
    links = _links(services.games.get(game_id), request, services)
    return Response(qr_code(links.player_url), media_type="image/svg+xml")


@router.get("/api/games/{game_id}/messages", tags=["games"], response_class=Response)
async def list_game_messages(game_id: str, services: ServicesDep, since: str = "") -> Response:
    """Return what the WebSocket would have sent since a message, or a snapshot."""
    game = services.games.get(game_id)
    return await channel_messages(game.channel, game.read_snapshot, since)


@router.post("/api/games/{game_id}/players", tags=["games"])
async def join_game(game_id: str, services: ServicesDep, joining: PlayerRequest) -> PlayerAnswers:
    """Join a game, or continue after a reload; returns the player's answers so far."""
    answers = services.games.get(game_id).join(joining.player)
    return PlayerAnswers(
        answers=[RoundAnswer(round=number, character=each) for number, each in answers.items()]
    )


@router.post("/api/games/{game_id}/answers", tags=["games"])
async def answer_round(game_id: str, services: ServicesDep, answer: AnswerRequest) -> RoundAnswer:
    """Answer in a round; returns the answer that counts, which is the player's first."""
    game = services.games.get(game_id)
    character = game.answer(answer.player, answer.round, answer.character)
    return RoundAnswer(round=answer.round, character=character)


@router.post("/api/games/{game_id}/start-round", status_code=204, tags=["games"])
async def start_round(game_id: str, services: ServicesDep, wanted: RoundRequest) -> None:
    """Start a round, with the presenter's key; does nothing if it has begun already."""
    _presented(services, game_id, wanted).start_round(wanted.round)


@router.post("/api/games/{game_id}/end-round", status_code=204, tags=["games"])
async def end_round(game_id: str, services: ServicesDep, wanted: RoundRequest) -> None:
    """End a round before its time, with the presenter's key."""
    _presented(services, game_id, wanted).end_round(wanted.round)


def _presented(services: ServicesDep, game_id: str, wanted: RoundRequest) -> Game:
    game = services.games.get(game_id)
    if not game.is_key(wanted.key):
        raise Problem(403, "The presenter's key is wrong.")
    return game


@router.get("/g/{game_id}", include_in_schema=False)
async def open_player_link(game_id: str, request: Request) -> Response:
    """Redirect to the page of a game; the page says so if there is none."""
    if not (game_id.isascii() and game_id.isalnum()):
        raise Problem(404, str(UnknownGameError()))
    root = str(request.scope.get("root_path", "")).rstrip("/")
    # The fragment with the presenter's key, if there is one, is carried over by the browser.
    return RedirectResponse(f"{root}/guess?game={game_id.lower()}", 303)


@router.websocket("/ws/games/{game_id}")
async def follow_game(
    websocket: WebSocket, game_id: str, services: ServicesDep, since: str = ""
) -> None:
    """Send a snapshot of the game, or the messages after `since`, and then every message."""
    game = await accept(websocket, lambda: services.games.get(game_id))
    if game is None:
        return
    timeout_s = services.settings.viewer_timeout_s
    cursor = parse_cursor(since)
    await serve_channel(
        websocket, game.channel, game.read_snapshot, cursor, timeout_s, closed=ENDED
    )
