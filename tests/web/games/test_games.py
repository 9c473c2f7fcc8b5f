"""Games over HTTP and WebSocket: start, join, answer, and what everyone sees."""

import json
import math
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from xml.etree import ElementTree

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.serving import LIMIT_S, PAGES, RunningServer, until

OPERATOR = {"Authorization": "Bearer secret"}
PLAYERS = 40
FRESH = "The keeper of the lamps walks to the sea in the morning."


class Screen:
    """A WebSocket of a game."""

    def __init__(self, server, game, since=None):
        query = "" if since is None else f"?since={since}"
        self._opened = connect(f"{server.ws_url}/ws/games/{game}{query}", max_size=None)
        self.messages = []

    def until(self, kind):
        """Return the next message of a type."""
        while True:
            message = json.loads(self._connection.recv(timeout=LIMIT_S))
            self.messages.append(message)
            if message["type"] == kind:
                return message

    def closed(self):
        try:
            while True:
                self._connection.recv(timeout=LIMIT_S)
        except ConnectionClosed as closed:
            return closed.rcvd.code, closed.rcvd.reason

    def __enter__(self):
        self._connection = self._opened.__enter__()
        return self

    def __exit__(self, *exception):
        self._opened.__exit__(*exception)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    started = RunningServer(
        tmp_path_factory.mktemp("data"), HURRAH_OPERATOR_TOKEN="secret", HURRAH_DEMO="false"
    )
    started.client.headers.update(OPERATOR)
    yield started
    started.terminate()


@pytest.fixture(scope="module")
def run(server):
    """A run with a validation part."""
    spec = {"hidden_size": 10, "sample_length": 20, "max_updates": 20, "validation_fraction": 0.2}
    corpus = server.upload(PAGES)["id"]
    return server.until_ended(server.create(corpus=corpus, **spec))


def start(server, run, **request):
    # No round ends by its time, however busy the machine is.
    request = {"seconds": 120} | request
    answer = server.client.post("/api/games", json={"run": run["id"], **request})
    assert answer.status_code == 201, answer.text
    return answer.json()


def post(server, game, action, *, operator=False, **body):
    headers = OPERATOR if operator else {"Authorization": ""}
    return server.client.post(f"/api/games/{game['id']}/{action}", json=body, headers=headers)


def present(server, game, action, number):
    answer = post(server, game, action, key=game["key"], round=number)
    assert answer.status_code == 204, answer.text


def token(number):
    return f"player-of-the-test-{number}"


def test_a_hall_plays_late_joiners_and_lost_connections_included(server, run):
    game = start(server, run, rounds=2)
    with Screen(server, game["id"]) as screen:
        first = screen.until("snapshot")
        assert (first["round"], first["mode"], first["held_out"]) == (0, "choices", True)
        assert first["text"] in PAGES[int(0.8 * len(PAGES)) :]
        for number in range(PLAYERS - 1):
            joined = post(server, game, "players", player=token(number))
            assert joined.json() == {"answers": []}
        present(server, game, "start-round", 1)
        present(server, game, "start-round", 1)
        opened = screen.until("round")
        assert opened["ends_at"] - opened["sent_at"] == pytest.approx(120, abs=10)

        # A late joiner sees the round, without what has been answered.
        with Screen(server, game["id"]) as late:
            snapshot = late.until("snapshot")
        assert snapshot["open"]
        assert snapshot["choices"] == opened["choices"]
        assert snapshot["ends_at"] == opened["ends_at"]
        assert (snapshot["results"], snapshot["shares"]) == ([], [])
        post(server, game, "players", player=token(PLAYERS - 1))

        def answer(number):
            choice = opened["choices"][number % len(opened["choices"])]
            body = {"player": token(number), "round": 1, "character": choice}
            replies = [post(server, game, "answers", **body) for _ in range(2)]
            return [(reply.status_code, reply.json()) for reply in replies]

        with ThreadPoolExecutor(8) as threads:
            replies = list(threads.map(answer, range(PLAYERS)))
        assert all(
            status == 200 and body == {"round": 1, "character": opened["choices"][number % 4]}
            for number, both in enumerate(replies)
            for status, body in both
        )
        # All have answered.
        ended = screen.until("result")
        result = ended["result"]
        assert result["answers"] == PLAYERS
        assert ended["text"] == first["text"] + result["character"]
        assert [share["hall"] for share in ended["shares"]] == [0.25] * 4
        assert math.fsum(s["network"] for s in ended["shares"]) == pytest.approx(1, abs=0.001)
        assert result["hall_bits"] == pytest.approx(2, abs=0.001)
        network = {share["character"]: share["network"] for share in ended["shares"]}
        assert 2 ** -result["network_bits"] == pytest.approx(
            network[result["character"]], abs=0.001
        )
        # Each joins and answers once; what happens within half a second is counted together.
        counts = [each for each in screen.messages if each["type"] == "answers"]
        assert len(counts) < 1.5 * PLAYERS

        too_late = post(
            server, game, "answers", player=token("new"), round=1, character=opened["choices"][0]
        )
        assert "too late" in server.problem(too_late, 409)["detail"]

        # A reload continues with the same answers, a lost connection with the same messages.
        reloaded = post(server, game, "players", player=token(3)).json()
        assert reloaded == {"answers": [{"round": 1, "character": opened["choices"][3]}]}
        with Screen(server, game["id"], since=opened["seq"]) as again:
            assert again.until("result")["result"] == result
        polled = server.client.get(f"/api/games/{game['id']}/messages").json()
        assert polled[0]["results"] == [result]

        present(server, game, "start-round", 2)
        assert screen.until("round")["round"] == 2
        present(server, game, "end-round", 2)
        assert screen.until("result")["result"]["answers"] == 0
        assert server.client.delete(f"/api/games/{game['id']}").status_code == 204
        assert screen.closed() == (4404, "The game has ended.")
    gone = post(server, game, "players", player=token(1))
    assert server.problem(gone, 404)["detail"] == "The game has ended."
    with Screen(server, game["id"]) as late:
        assert late.closed() == (4404, "The game has ended.")


def test_everyone_in_a_hall_gets_each_result(server, run):
    game = start(server, run, rounds=2)
    with ExitStack() as stack:
        screens = [stack.enter_context(Screen(server, game["id"])) for _ in range(PLAYERS)]
        for number, screen in enumerate(screens):
            screen.until("snapshot")
            post(server, game, "players", player=token(number))
        for round_number in (1, 2):
            present(server, game, "start-round", round_number)
            choices = [screen.until("round")["choices"] for screen in screens]
            assert all(each == choices[0] for each in choices)

            def answer(number, round_number=round_number, choice=choices[0][0]):
                body = {"player": token(number), "round": round_number, "character": choice}
                return post(server, game, "answers", **body).status_code

            with ThreadPoolExecutor(8) as threads:
                assert set(threads.map(answer, range(PLAYERS))) == {200}
            results = [screen.until("result") for screen in screens]
            assert all(each == results[0] for each in results)
            assert results[0]["result"]["answers"] == PLAYERS
    server.client.delete(f"/api/games/{game['id']}")


def test_only_the_operator_starts_and_only_the_presenter_runs_a_game(server, run):
    anonymous = {"Authorization": ""}
    assert (
        server.client.post("/api/games", json={"run": run["id"]}, headers=anonymous).status_code
        == 401
    )
    game = start(server, run)
    path = f"/api/games/{game['id']}"
    assert server.client.delete(path, headers=anonymous).status_code == 401
    for action in ("start-round", "end-round"):
        for operator in (False, True):
            refused = post(server, game, action, operator=operator, key="wrong", round=1)
            assert "key" in server.problem(refused, 403)["detail"]
    assert server.client.get(path, headers=anonymous).json() == {
        name: game[name] for name in ("id", "player_url", "reachable")
    }
    server.client.delete(path)


def test_the_player_link_opens_the_game_and_has_a_qr_code(server, run):
    game = start(server, run)
    assert game["player_url"] == f"{server.url}/g/{game['id']}"
    assert game["presenter_url"] == f"{game['player_url']}#present={game['key']}"
    opened = server.client.get(game["player_url"])
    assert (opened.status_code, opened.headers["location"]) == (303, f"/guess?game={game['id']}")
    image = server.client.get(f"/api/games/{game['id']}/qr.svg")
    assert ElementTree.fromstring(image.content).tag == "{http://www.w3.org/2000/svg}svg"
    assert server.client.get("/g/%2e%2e").status_code == 404
    server.client.delete(f"/api/games/{game['id']}")


def test_a_pasted_passage_is_guessed_at_its_end(server, run):
    game = start(server, run, rounds=3, mode="typing", text=f"{FRESH}\r\n")
    with Screen(server, game["id"]) as screen:
        snapshot = screen.until("snapshot")
        assert snapshot["text"] == FRESH[:-3]
        assert not snapshot["held_out"]
        present(server, game, "start-round", 1)
        screen.until("round")
        body = {"player": token(1), "round": 1}
        for character, field in (("€", "character"), ("ab", "character"), ("", "character")):
            refused = post(server, game, "answers", character=character, **body)
            assert server.problem(refused, 422)["errors"][0]["field"] == field
        assert post(server, game, "answers", character=" ", **body).status_code == 200
        result = screen.until("result")
        assert result["result"]["character"] == FRESH[-3]
        assert {"character": " ", "hall": 1.0}.items() <= result["shares"][0].items()
    server.client.delete(f"/api/games/{game['id']}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Too short.", "must be at least 30 characters"),
        (f"{FRESH} Ω and 金", "contains characters that the network does not know: 'Ω', '金'"),
        (PAGES[100:200], "is part of the text that the network was trained on"),
        ("x" * 2_001, "must have at most 2000 characters"),
    ],
)
def test_a_passage_that_cannot_be_played_gets_a_sentence(server, run, text, message):
    answer = server.client.post("/api/games", json={"run": run["id"], "text": text})
    [error] = server.problem(answer, 422)["errors"]
    assert error["field"] == "text"
    assert message in error["message"]


def test_a_run_without_a_validation_part_needs_a_text(server, run):
    whole = server.create(corpus=run["corpus"], hidden_size=10, sample_length=20, max_updates=5)
    server.until_ended(whole)
    answer = server.client.post("/api/games", json={"run": whole["id"]})
    assert "validation_fraction" in server.problem(answer, 422)["errors"][0]["message"]
    game = start(server, whole, text=FRESH)
    assert until(lambda: server.client.get(f"/api/games/{game['id']}")).status_code == 200
    server.client.delete(f"/api/games/{game['id']}")


@pytest.mark.parametrize(
    ("request_body", "field"),
    [
        ({"rounds": 0}, "rounds"),
        ({"rounds": 51}, "rounds"),
        ({"seconds": 4}, "seconds"),
        ({"mode": "chess"}, "mode"),
        ({"other": 1}, "other"),
    ],
)
def test_a_bad_request_names_its_field(server, run, request_body, field):
    answer = server.client.post("/api/games", json={"run": run["id"], **request_body})
    assert server.problem(answer, 422)["errors"][0]["field"] == field


def test_an_unknown_run_or_game_is_not_found(server):
    missing = server.client.post("/api/games", json={"run": "none"})
    assert "There is no run" in server.problem(missing, 404)["detail"]
    with Screen(server, "abcde") as screen:
        unknown = "There is no such game. A restart of the server ends all games."
        assert screen.closed() == (4404, unknown)
