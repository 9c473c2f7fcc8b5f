"""Connects a worker process on this machine with the server; see docs/decisions/cluster.md."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import itertools
import logging
import os
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from server.cluster import reports
from server.cluster.frames import PIECE_BYTES
from server.cluster.node.directories import corpus_path, file_hash
from server.cluster.node.link import DisconnectedError, Link, PlacementEndedError
from server.cluster.node.worker_process import WorkerProcess
from server.concurrency.json_lines import Message

__all__ = ["Agent"]

log = logging.getLogger(__name__)

# Reports that the server has not confirmed, before they are merged.
MAX_SEPARATE_REPORTS = 64
# The shortest time between two reports until the server says another.
REPORT_EVERY_S = 0.5
# How long the message that the worker has ended may wait for a connection.
EXIT_TIMEOUT_S = 600.0


class TransferError(Exception):
    """A file is not as it should be."""


@dataclass(slots=True)
class Outgoing:
    """A message that is to be sent.

    Attributes
    ----------
    report : dict or None
        A report, into which later ones are merged until it is `sealed`.
    header : dict or None
        Any other numbered frame, without its number.
    """

    report: Message | None = None
    header: Message | None = None
    sealed: bool = False


class Agent:
    """The agent of one placement.

    Parameters
    ----------
    link : Link
        The connection to the server.
    directory : pathlib.Path
        For the files of the worker.
    """

    def __init__(self, link: Link, directory: Path) -> None:
        self._link = link
        self._directory = directory
        self._name = os.urandom(8).hex()
        self._worker: WorkerProcess | None = None
        self._commands: asyncio.Queue[Message] = asyncio.Queue()
        self._spec: Message | None = None
        self._started = False
        # Numbers of commands, by the ids under which the worker answers them, and their files.
        self._ids = itertools.count(1)
        self._numbers: dict[int, int] = {}
        self._files: dict[int, Path] = {}
        # Reports that the server has not confirmed as stored, and the last report of all.
        self._unconfirmed: deque[Message] = deque()
        self._latest: Message | None = None
        self._queue: deque[Outgoing] = deque()
        self._queued = asyncio.Event()
        self._interval_s = REPORT_EVERY_S
        self._reported_s = 0.0
        self._uploads = itertools.count(1)
        self._stored: dict[int, asyncio.Future[Message]] = {}
        self._downloads: dict[str, asyncio.Queue[tuple[Message, bytes] | None]] = {}
        # The snapshots that the server has, with the times of their files.
        self._snapshots: dict[str, int] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._ended: str | None = None
        link.hello = self._hello
        link.on_frame = self._receive
        link.on_session = self._begin_session
        link.on_disconnected = self._lose_connection

    async def run(self) -> None:
        """Connect the worker with the server until the placement ends."""
        tasks = [
            asyncio.create_task(work)
            for work in (self._link.run(), self._carry_out(), self._send_queue())
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                with contextlib.suppress(PlacementEndedError, TimeoutError):
                    task.result()
        finally:
            if self._worker is not None:
                await self._worker.kill()
            for task in [*tasks, *self._tasks]:
                task.cancel()
            await asyncio.gather(*tasks, *self._tasks, return_exceptions=True)

    # -- from the server --------------------------------------------------------------------------

    def _hello(self) -> Message:
        return {"agent": self._name, "started": self._started, "spec": self._spec}

    def _receive(self, header: Message, content: bytes) -> None:
        match header["type"]:
            case "command":
                self._commands.put_nowait(header)
            case "ack" if "interval_s" in header:
                self._interval_s = header["interval_s"]
                self._queued.set()
            case "stored" if (stored := self._stored.get(header["upload"])) and not stored.done():
                stored.set_result(header)
            case "file" if header["file"] in self._downloads:
                self._downloads[header["file"]].put_nowait((header, content))

    def _begin_session(self) -> None:
        """Send all that is not confirmed to a server that has started anew."""
        self._queue.clear()
        self._numbers.clear()
        if self._unconfirmed:
            report = functools.reduce(reports.merge, self._unconfirmed)
            self._queue.append(Outgoing(report=report))
        elif self._latest is not None:
            self._queue.append(Outgoing(report=reports.without_history(self._latest)))
        if self._ended is not None:
            self._queue.append(Outgoing(header={"type": "exit", "how": self._ended}))
        self._queued.set()

    def _lose_connection(self) -> None:
        for stored in self._stored.values():
            if not stored.done():
                stored.set_exception(DisconnectedError())
        for download in self._downloads.values():
            download.put_nowait(None)

    async def _carry_out(self) -> None:
        """Pass the commands on to the worker, one after the other."""
        while True:
            header = await self._commands.get()
            number, command = header["number"], dict(header["command"])
            if (answered := command.pop("id", None)) is not None:
                command["id"] = next(self._ids)
                self._numbers[command["id"]] = answered
            if command["do"] == "Start":
                try:
                    await self._start(command)
                except (OSError, TransferError) as error:
                    reason = getattr(error, "strerror", None) or str(error)
                    self._pass_on({"answer": command["id"], "refused": reason})
                continue
            if "path" in command:
                path = self._directory / "files" / f"{number}.npz"
                self._files[command["id"]] = path
                command["path"] = str(path)
            elif command["do"] == "ApplyChange" and self._spec is not None:
                self._spec |= command["changes"]
            elif command["do"] == "HistoryFlushed":
                self._confirm(command["update"])
            if self._worker is not None:
                self._worker.send(command)

    async def _start(self, command: Message) -> None:
        """Fetch the files of the run and start the worker."""
        for name in ("checkpoints", "files"):
            (self._directory / name).mkdir(exist_ok=True)
        text = command["corpus_path"]
        corpus = corpus_path(text["sha256"])
        await self._fetch("corpus", text, corpus)
        if (checkpoint := command["checkpoint"]) is not None:
            path = self._directory / "checkpoints" / "start.npz"
            await self._fetch("checkpoint", checkpoint, path)
            command["checkpoint"] = str(path)
        command["corpus_path"] = str(corpus)
        command["directory"] = str(self._directory / "checkpoints")
        self._spec = command["spec"]
        self._worker = await WorkerProcess.start(self._pass_on)
        self._worker.send(command)
        task = asyncio.create_task(self._wait_for_worker(self._worker))
        self._tasks.add(task)

    async def _wait_for_worker(self, worker: WorkerProcess) -> None:
        self._ended = await worker.wait()
        self._put(Outgoing(header={"type": "exit", "how": self._ended}))

    # -- from the worker --------------------------------------------------------------------------

    def _pass_on(self, message: Message) -> None:
        """Queue a reply or a report for the server."""
        if message.get("event") == "Report":
            report = reports.from_line(message)
            self._latest = report
            self._unconfirmed.append(report)
            if len(self._unconfirmed) > MAX_SEPARATE_REPORTS:
                merged = functools.reduce(reports.merge, self._unconfirmed)
                self._unconfirmed.clear()
                self._unconfirmed.append(merged)
            self._put(Outgoing(report=report))
            return
        identity = message["answer"]
        number, path = self._numbers.pop(identity, None), self._files.pop(identity, None)
        self._started = self._started or "refused" not in message
        if number is None:
            return  # It answers a server that has ended.
        reply = message | {"answer": number}
        if path is None or "refused" in message:
            self._put(Outgoing(header={"type": "reply", "reply": reply}))
        else:
            task = asyncio.create_task(self._upload_and_reply(path, number, reply))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _confirm(self, update: int) -> None:
        while self._unconfirmed and self._unconfirmed[0]["update"] <= update:
            self._unconfirmed.popleft()

    def _put(self, message: Outgoing) -> None:
        last = self._queue[-1] if self._queue else None
        if message.report and last and last.report and not last.sealed:
            last.report = reports.merge(last.report, message.report)
        else:
            self._queue.append(message)
        self._queued.set()

    async def _send_queue(self) -> None:
        """Send the queue in order, replies at once and reports not too often.

        It returns when the server knows that the worker has ended.
        """
        while True:
            self._queued.clear()
            await self._link.connected.wait()
            if not self._queue:
                await self._queued.wait()
                continue
            wait_s = self._reported_s + self._interval_s - time.monotonic()
            if len(self._queue) == 1 and self._queue[0].report is not None and wait_s > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(wait_s):
                        await self._queued.wait()
                continue
            message = self._queue[0]
            message.sealed = True
            if message.report is not None and message.report["samples"]:
                await self._upload_snapshots()
            if not self._queue or self._queue[0] is not message:
                continue  # A new session has begun.
            self._queue.popleft()
            number = self._link.next_number()
            if message.report is not None:
                self._reported_s = time.monotonic()
                await self._link.post(*reports.to_frame(message.report, number))
            elif message.header is not None:
                await self._link.post(message.header | {"number": number})
                if message.header["type"] == "exit":
                    await asyncio.wait_for(self._link.drained.wait(), EXIT_TIMEOUT_S)
                    if not self._queue:
                        return

    # -- files ------------------------------------------------------------------------------------

    async def _upload_and_reply(self, path: Path, number: int, reply: Message) -> None:
        stored = await self._upload(path, f"files/{number}.npz")
        await asyncio.to_thread(path.unlink, missing_ok=True)
        if stored["error"] is not None:
            reply = {
                "answer": reply["answer"],
                "refused": stored["error"],
                "errno": stored["errno"],
            }
        self._put(Outgoing(header={"type": "reply", "reply": reply}))

    async def _upload_snapshots(self) -> None:
        """Send the snapshots that the server lacks; one that it cannot store is tried again."""
        for path in sorted((self._directory / "snapshots").glob("[!.]*.npz")):
            with contextlib.suppress(FileNotFoundError):
                written = path.stat().st_mtime_ns
                if self._snapshots.get(path.name) != written:
                    stored = await self._upload(path, f"snapshots/{path.name}")
                    if stored["error"] is None:
                        self._snapshots[path.name] = written

    async def _upload(self, path: Path, name: str) -> Message:
        """Send a file; return the server's answer when the file is durable there, or refused."""
        sha256 = await asyncio.to_thread(file_hash, path)
        while True:
            await self._link.connected.wait()
            upload = next(self._uploads)
            stored = self._stored[upload] = asyncio.get_running_loop().create_future()
            try:
                await self._send_file(path, {"upload": upload, "path": name, "sha256": sha256})
                answer: Message = await stored
            except DisconnectedError:
                continue
            else:
                return answer
            finally:
                del self._stored[upload]
                stored.cancel()

    async def _send_file(self, path: Path, about: Message) -> None:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            await self._link.send({"type": "upload", "size": size, **about})
            while piece := file.read(PIECE_BYTES):
                await self._link.send({"type": "piece", "upload": about["upload"]}, piece)

    async def _fetch(self, name: str, about: Message, path: Path) -> None:
        """Fetch a file of the run, unless it is here already.

        Raises
        ------
        TransferError
            The server's file is another one.
        """
        while await asyncio.to_thread(file_hash, path) != about["sha256"]:
            await self._link.connected.wait()
            received = self._downloads[name] = asyncio.Queue()
            temporary = path.with_name(f".{path.name}.{self._name}")
            try:
                await self._link.send({"type": "get", "file": name})
                await _write_pieces(received, temporary)
                if await asyncio.to_thread(file_hash, temporary) != about["sha256"]:
                    raise TransferError(f"the {name} has changed")
                temporary.replace(path)
            except DisconnectedError:
                continue
            finally:
                temporary.unlink(missing_ok=True)
                del self._downloads[name]


async def _write_pieces(received: asyncio.Queue[tuple[Message, bytes] | None], path: Path) -> None:
    """Write the pieces of a file as they arrive; raises `DisconnectedError`."""
    with path.open("wb") as file:
        while (piece := await received.get()) is not None:
            header, content = piece
            file.write(content)
            if header["last"]:
                return
    raise DisconnectedError
