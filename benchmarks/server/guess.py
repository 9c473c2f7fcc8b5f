"""How soon three hundred players get the reply to their answer, and the result of a round."""

import asyncio
import json
import multiprocessing
import random
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from websockets.asyncio.client import connect

from benchmarks.server.server_process import ServerProcess, cpu_s
from benchmarks.verdicts import Verdict

PLAYERS = 300
ROUNDS = 5
# Everyone answers within so long, as a hall does once the choices are on the screen.
ANSWERS_WITHIN_S = 3.0
LIMIT_S = 120.0
TARGETS_MS = {"round": 250.0, "reply": 250.0, "result": 250.0}


def guess(_arguments: list[str], console: Console) -> Iterator[Verdict]:
    """Measure the delays of a game in which all players answer each round."""
    with tempfile.TemporaryDirectory() as directory, ServerProcess(Path(directory)) as server:
        run = _trained_run(server)
        started = server.request("POST", "/games", {"run": run, "rounds": ROUNDS, "seconds": 60})
        ours, theirs = multiprocessing.Pipe()
        context = multiprocessing.get_context("spawn")
        players = context.Process(target=_play, args=(server.port, started["id"], theirs))
        players.start()
        ours.recv()
        used_s, start_s = cpu_s(server.pid), time.monotonic()
        for number in range(1, ROUNDS + 1):
            body = {"key": started["key"], "round": number}
            server.request("POST", f"/games/{started['id']}/start-round", body)
            # All have answered and have the result.
            ours.recv()
        cores = (cpu_s(server.pid) - used_s) / (time.monotonic() - start_s)
        found = ours.recv()
        players.join()
    for kind, target in TARGETS_MS.items():
        measured = 1e3 * np.array(found[kind])
        half, most, worst = np.percentile(measured, [50, 99, 100])
        console.print(
            f"{kind}: {len(measured):,} of {PLAYERS * ROUNDS:,}, median {half:.0f} ms,"
            f" 99th percentile {most:.0f} ms, worst {worst:.0f} ms."
        )
        yield Verdict(f"{PLAYERS} players: {kind}, p99 ms", float(most), "under", target)
    received = float(len(found["result"]))
    yield Verdict("results received", received, "at least", float(PLAYERS * ROUNDS))
    counts = found["counts"] / PLAYERS / ROUNDS
    console.print(f"{counts:.1f} counts a player and round; the server used {cores:.2f} cores.")


def _trained_run(server: ServerProcess) -> str:
    """Train a small network, and return the id of its run."""
    corpus = server.request("GET", "/corpora")[0]["id"]
    spec = {"corpus": corpus, "hidden_size": 50, "validation_fraction": 0.1, "max_updates": 200}
    run = server.request("POST", "/runs", spec)["id"]
    while server.request("GET", f"/runs/{run}")["state"] != "finished":
        time.sleep(0.1)
    return str(run)


async def _post(port: int, game: str, action: str, body: dict[str, object]) -> None:
    """Send a request over a connection of its own, with less work than an HTTP library."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    content = json.dumps(body).encode()
    lines = (
        f"POST /api/games/{game}/{action} HTTP/1.1",
        f"Host: 127.0.0.1:{port}",
        "Content-Type: application/json",
        f"Content-Length: {len(content)}",
        "Connection: close",
        *("", ""),
    )
    writer.write("\r\n".join(lines).encode() + content)
    answer = await reader.read()
    writer.close()
    if not answer.startswith(b"HTTP/1.1 200 "):
        raise RuntimeError(f"the server answered {answer[:200]!r}")


async def _answer(port: int, game: str, player: str, opened: dict[str, Any]) -> float:
    """Answer in an open round after a while; return how long the reply took, in seconds."""
    await asyncio.sleep(random.uniform(0, ANSWERS_WITHIN_S))
    character = random.choice(opened["choices"])
    began_s = time.time()
    body = {"player": player, "round": opened["round"], "character": character}
    await _post(port, game, "answers", body)
    return time.time() - began_s


def _play(port: int, game: str, channel: Connection) -> None:
    asyncio.run(_play_all(port, game, channel))


async def _play_all(port: int, game: str, channel: Connection) -> None:
    """Play with all players, and return the delays in seconds."""
    found: dict[str, list[float]] = {"round": [], "reply": [], "result": []}
    counts = 0
    joined, ended = asyncio.Semaphore(0), asyncio.Semaphore(0)

    async def play(player: str) -> None:
        nonlocal counts
        # All connect at once, so the last ones wait.
        address = f"ws://127.0.0.1:{port}/ws/games/{game}"
        async with connect(address, compression=None, open_timeout=LIMIT_S) as socket:
            await socket.recv()
            await _post(port, game, "players", {"player": player})
            joined.release()
            answering = set()
            async for text in socket:
                now_s, message = time.time(), json.loads(text)
                kind = message["type"]
                counts += kind == "answers"
                if kind == "round":
                    found["round"].append(now_s - message["sent_at"])
                    task = _answer(port, game, player, message)
                    answering.add(asyncio.create_task(task))
                elif kind == "result":
                    found["result"].append(now_s - message["sent_at"])
                    ended.release()
                    if message["result"]["round"] == ROUNDS:
                        break
            found["reply"] += await asyncio.gather(*answering)

    async with asyncio.timeout(LIMIT_S):
        tasks = [asyncio.create_task(play(f"player-of-the-benchmark-{i}")) for i in range(PLAYERS)]
        for _ in range(PLAYERS):
            await joined.acquire()
        channel.send("joined")
        for number in range(1, ROUNDS + 1):
            for _ in range(PLAYERS):
                await ended.acquire()
            channel.send(number)
        await asyncio.gather(*tasks)
    channel.send({**found, "counts": counts})
