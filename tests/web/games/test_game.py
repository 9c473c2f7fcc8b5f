"""A game: rounds, answers, and who they wait for."""

import asyncio
import json
import math
from collections import Counter
from functools import wraps

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.errors import ConflictError, LimitReachedError, UnknownGameError
from server.inspection.predictions import PredictedPassage
from server.spec.run_spec import SpecError
from server.web.games import games as games_module
from server.web.games.game import MAX_PLAYERS, Game, GameSetup
from server.web.games.games import LIFETIME_S, MAX_GAMES, Games
from server.web.live.frames import join_frames
from server.web.security.link_keys import hash_key

ROUNDS = 3
TEXT = "What comes next: abc"
PREDICTION = {
    each: math.log(p) for each, p in zip("abcde", (0.4, 0.3, 0.2, 0.05, 0.05), strict=True)
}
PASSAGE = PredictedPassage(
    text=TEXT,
    predictions=[PREDICTION] * ROUNDS,
    characters="".join(sorted(set(TEXT) | set("abcdefgh"))),
    update=7,
    held_out=True,
)


def setup(mode="choices", seconds=1_000.0):
    return GameSetup("run", "A run", mode, ROUNDS, seconds, PASSAGE)


def new_game(mode="choices", seconds=1_000.0):
    game = Game("abcde", hash_key("key"), setup(mode, seconds))
    game.channel.join()
    return game


async def snapshot(game):
    _, frames = await game.read_snapshot()
    return json.loads(join_frames(frames))


def in_loop(test):
    """Run a coroutine function as a test."""

    @wraps(test)
    def run(*arguments, **named):
        asyncio.run(test(*arguments, **named))

    return run


@in_loop
async def test_a_round_from_its_start_to_its_result():
    game = new_game()
    before = await snapshot(game)
    assert (before["round"], before["open"], before["text"]) == (0, False, TEXT[:-ROUNDS])
    for player in "xyz":
        assert game.join(player) == {}
    game.start_round(1)
    opened = await snapshot(game)
    assert opened["choices"] == ["a", "b", "c", "d"]
    assert opened["open"]
    assert "result" not in json.dumps(opened["shares"])
    game.answer("x", 1, "a")
    game.answer("y", 1, "b")
    assert (await snapshot(game))["answered"] == 2
    game.answer("z", 1, "a")
    after = await snapshot(game)
    # All have answered, so it ended before its time.
    assert not after["open"]
    assert after["text"] == TEXT[: 1 - ROUNDS]
    [result] = after["results"]
    assert (result["character"], result["answers"]) == ("a", 3)
    assert result["hall_bits"] == pytest.approx(-math.log2(2.25 / 4), abs=1e-3)
    assert result["network_bits"] == pytest.approx(-math.log2(0.4 / 0.95), abs=1e-3)
    assert [share["hall"] for share in after["shares"]] == [0.6667, 0.3333, 0, 0]
    assert after["shares"][0]["network"] == pytest.approx(0.4 / 0.95, abs=1e-4)
    game.close()


@in_loop
async def test_only_the_first_answer_of_a_player_counts():
    game = new_game()
    game.join("waits")
    game.start_round(1)
    assert game.answer("x", 1, "b") == "b"
    assert game.answer("x", 1, "a") == "b"
    game.end_round(1)
    # Also when it is sent again after the end, because the first reply was lost.
    assert game.answer("x", 1, "b") == "b"
    [result] = (await snapshot(game))["results"]
    assert result["answers"] == 1
    game.close()


@in_loop
async def test_an_answer_before_or_after_its_round_does_not_count():
    game = new_game()
    with pytest.raises(ConflictError, match="Round 1 has not begun"):
        game.answer("x", 1, "a")
    game.start_round(1)
    game.end_round(1)
    with pytest.raises(ConflictError, match="too late"):
        game.answer("x", 1, "a")
    game.start_round(2)
    with pytest.raises(ConflictError, match="too late"):
        game.answer("x", 1, "a")
    with pytest.raises(SpecError, match="one of the choices"):
        game.answer("x", 2, "h")
    assert game.join("x") == {}
    game.close()


@in_loop
async def test_any_character_of_the_vocabulary_can_be_typed():
    game = new_game("typing")
    game.join("waits")
    game.start_round(1)
    assert (await snapshot(game))["choices"] is None
    assert game.answer("x", 1, "h") == "h"
    with pytest.raises(SpecError, match="the network knows"):
        game.answer("y", 1, "€")
    game.end_round(1)
    after = await snapshot(game)
    [result] = after["results"]
    options = len(PASSAGE.characters)
    assert result["chance_bits"] == pytest.approx(math.log2(options), abs=1e-3)
    assert result["hall_bits"] == result["wrong_bits"]
    assert result["network_bits"] == pytest.approx(-math.log2(0.4), abs=1e-3)
    assert after["shares"][0] == {"character": "h", "hall": 1.0, "network": 0.0}
    game.close()


@in_loop
async def test_a_round_ends_by_the_servers_clock():
    game = new_game(seconds=0.01)
    game.join("x")
    game.start_round(1)
    while (await snapshot(game))["open"]:
        await game.channel.wait(game.channel.seq)
    [result] = (await snapshot(game))["results"]
    assert result["answers"] == 0
    assert result["hall_bits"] == result["chance_bits"] == 2
    game.close()


@in_loop
async def test_a_round_does_not_wait_for_players_who_did_not_answer_the_one_before():
    game = new_game()
    for player in ("gone", "here"):
        game.join(player)
    game.start_round(1)
    game.answer("here", 1, "a")
    assert (await snapshot(game))["open"]
    game.end_round(1)
    game.start_round(2)
    game.answer("here", 2, "a")
    assert not (await snapshot(game))["open"]
    game.start_round(3)
    game.join("late")
    game.answer("here", 3, "a")
    assert (await snapshot(game))["open"]
    game.answer("late", 3, "b")
    assert not (await snapshot(game))["open"]
    game.close()


@in_loop
async def test_a_presenter_who_presses_twice_starts_one_round():
    game = new_game()
    game.start_round(1)
    game.start_round(1)
    with pytest.raises(ConflictError, match="cannot begin"):
        game.start_round(2)
    with pytest.raises(ConflictError, match="has not begun"):
        game.end_round(2)
    game.end_round(1)
    game.end_round(1)
    with pytest.raises(ConflictError, match="cannot begin"):
        game.start_round(3)
    for number in (2, 3):
        game.start_round(number)
        game.end_round(number)
    with pytest.raises(ConflictError, match="has 3 rounds"):
        game.start_round(4)
    after = await snapshot(game)
    assert after["text"] == TEXT
    assert len(after["results"]) == ROUNDS
    game.close()


@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from("pqrs"), st.integers(1, ROUNDS), st.sampled_from("abcd")),
            st.tuples(st.just("start"), st.integers(1, ROUNDS), st.just("")),
            st.tuples(st.just("end"), st.integers(1, ROUNDS), st.just("")),
        ),
        max_size=40,
    )
)
@in_loop
async def test_every_result_counts_each_player_once(steps):
    game = new_game()
    accepted = {}
    for who, number, character in steps:
        try:
            if who == "start":
                game.start_round(number)
            elif who == "end":
                game.end_round(number)
            else:
                accepted.setdefault((who, number), game.answer(who, number, character))
        except ConflictError:
            continue
    seen = await snapshot(game)
    for result in seen["results"]:
        counted = Counter(
            each for (_, number), each in accepted.items() if number == result["round"]
        )
        assert result["answers"] == counted.total()
        expected = -math.log2((counted[result["character"]] + 1 / 4) / (counted.total() + 1))
        assert result["hall_bits"] == pytest.approx(expected, abs=1e-3)
    assert seen["text"] == TEXT[: len(TEXT) - ROUNDS + len(seen["results"])]
    game.close()


@in_loop
async def test_the_number_of_players_is_limited():
    game = new_game()
    for number in range(MAX_PLAYERS):
        game.join(str(number))
    with pytest.raises(ConflictError, match="2,000 players"):
        game.join("one more")
    game.close()


@in_loop
async def test_games_end_and_are_limited(monkeypatch):
    games = Games()
    game, key = games.start(setup())
    assert game.is_key(key)
    assert not game.is_key(key[:-1])
    assert games.get(game.id.upper()) is game
    games.end(game.id)
    assert game.channel.closed
    with pytest.raises(UnknownGameError):
        games.get(game.id)
    started = [games.start(setup())[0] for _ in range(MAX_GAMES)]
    with pytest.raises(LimitReachedError, match="20 games"):
        games.start(setup())
    now_s = games_module.time.monotonic()
    monkeypatch.setattr(games_module.time, "monotonic", lambda: now_s + LIFETIME_S + 60)
    with pytest.raises(UnknownGameError):
        games.get(started[0].id)
    games.check_room()
    assert all(each.channel.closed for each in started)
