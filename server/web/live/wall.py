"""All runs at once: what the wall shows of each, and its changes once a second.

One channel is shared by all viewers of the wall. While it has viewers, the changes of all runs are
collected and published in one message a second, so that the work does not grow with the number of
viewers. The curves and texts of the newest runs are read from the database when the wall is first
viewed, those of others when a viewer asks for them; they are then kept current from the messages
to the runs' own viewers. A minute after the last viewer has left, all of it is forgotten.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import zip_longest

from server.concurrency.periodic_tasks import PeriodicTasks
from server.history.loss_history import ReducedLoss
from server.spec.live_messages import Curve, LiveMessage
from server.spec.schemas import Run
from server.store import queries
from server.store.executor import StoreExecutor
from server.web.live.broadcast import Channel
from server.web.live.frames import to_json
from server.web.live.wall_curve import MAX_POINTS, ShortCurve
from server.web.live.wall_messages import (
    WallCurve,
    WallDetail,
    WallProgress,
    WallRun,
    WallSpec,
    WallUpdateMessage,
)

__all__ = ["Wall"]

# A little less than the interval of the heartbeats, which are then not needed.
INTERVAL_S = 0.9
# A viewer that lags by more gets a new snapshot, which is not much larger.
MAX_LOG_MESSAGES = 20
# The beginning of a sample that is shown.
MAX_TEXT_CHARACTERS = 160
MAX_READ_CHARACTERS = 1_000
# So many runs are read from the database at once: a command waits for at most one read.
RUNS_PER_READ = 10
# So many of the newest runs have a curve in the snapshot; the page shows as many cards at first.
SNAPSHOT_CURVES = 100


class _Card:
    """What is known of one run besides its `Run`.

    Attributes
    ----------
    wanted : bool
        Whether its curve and text are kept, because the snapshot has them or a viewer asked.
    curve : ShortCurve or None
        None until it is read from the database.
    text : str
        The beginning of the newest sample.
    missed : list of Curve
        Pieces of the curve that have arrived before it was read.
    missed_text : str or None
        The text that has.
    restarts : int
        How often the run went back in time: a curve that was being read meanwhile is not the run's.
    described, figures, published_text : tuple, tuple, str or None
        What was published last, or has not changed since all snapshots.
    """

    def __init__(self) -> None:
        self.wanted = True
        self.text: str | None = None
        self.restarts = 0
        self.described: tuple[object, ...] = ()
        self.restart()

    def restart(self) -> None:
        """Forget what is read from the database."""
        self.curve: ShortCurve | None = None
        self.missed: list[Curve] = []
        self.missed_text: str | None = None
        self.restarts += 1
        self.figures: tuple[object, ...] = ()
        self.published_text: str | None = None
        self._json: tuple[tuple[object, ...], bytes] | None = None

    def set_read(self, reduced: ReducedLoss, text: str) -> None:
        """Set what was read from the database."""
        self.curve = ShortCurve(reduced)
        for piece in self.missed:
            self.curve.add(piece)
        self.text = _beginning(text) if self.missed_text is None else self.missed_text
        self.missed, self.missed_text = [], None
        if self.restarts == 1:
            # No viewer has an earlier curve.
            self.curve.take_changes()
            self.published_text = self.text

    def encoded(self, run: Run, curve: ShortCurve | None) -> bytes:
        """Return the JSON of the run on the wall, encoded again only if it has changed.

        Without a curve it has no text either.
        """
        text = None if curve is None else self.text
        key = (*_description(run), *_figures(run), curve and curve.last, text)
        if self._json is None or self._json[0] != key:
            self._json = key, to_json({**_wall_run(run, text, curve)})
        return self._json[1]


class Wall:
    """All runs for the viewers of the wall; a `server.runs.publisher.Publisher`.

    Parameters
    ----------
    runs : callable
        Returns all runs, newest first.
    store : StoreExecutor
        The database.

    Attributes
    ----------
    channel : Channel
        The messages to the viewers.
    """

    def __init__(self, runs: Callable[[], list[Run]], store: StoreExecutor) -> None:
        self.channel = Channel(None, max_messages=MAX_LOG_MESSAGES)
        self._runs = runs
        self._store = store
        self._cards: dict[str, _Card] = {}
        self._published: set[str] = set()
        self._reading = asyncio.Lock()
        self._ticks = PeriodicTasks("wall", (self._tick, lambda: INTERVAL_S))

    def stop(self) -> None:
        """Stop publishing."""
        self._ticks.stop()

    # -- what happens to the runs -----------------------------------------------------------------

    def publish(self, run: str, message: LiveMessage) -> None:
        """Take what the wall shows from a message to a run's viewers."""
        card = self._cards.get(run)
        if card is None or not card.wanted:
            return
        if message["type"] == "progress":
            if card.curve is None:
                card.missed.append(message["curve"])
            else:
                card.curve.add(message["curve"])
        elif message["type"] == "sample":
            text = _beginning(message["sample"].text)
            card.text = text
            if card.curve is None:
                card.missed_text = text

    def is_watched(self, run: str) -> bool:
        """Whether the wall shows the run to a viewer."""
        return run in self._cards

    def restart(self, run: str) -> None:
        """Read the curve and the text of a run again: it went back in time."""
        if (card := self._cards.get(run)) is not None:
            card.restart()

    def close(self, run: str) -> None:
        """Forget a deleted run."""
        self._cards.pop(run, None)

    # -- what the viewers get ---------------------------------------------------------------------

    def start(self) -> None:
        """Begin to collect the changes, unless that is done already."""
        if self._ticks.running:
            return
        # What has changed meanwhile was not published: no earlier cursor is valid.
        self.channel.restart()
        self._published = set()
        for number, run in enumerate(self._runs()):
            card = self._card(run)
            card.wanted = number < SNAPSHOT_CURVES
            card.described, card.figures = _description(run), _figures(run)
            self._published.add(run.id)
        self._ticks.start()

    async def read_snapshot(self) -> tuple[int, list[bytes]]:
        """Return a snapshot's number and frames; all later messages have higher numbers."""
        while (snapshot := self.channel.cached_snapshot(running=True)) is None:
            await self._read_missing()
            runs = self._runs()
            newest = [self._card(run) for run in runs[:SNAPSHOT_CURVES]]
            # One may have been created, or may have gone back, since it was read.
            if all(card.curve is not None for card in newest):
                encoded = [
                    self._card(run).encoded(run, card.curve if card is not None else None)
                    for run, card in zip_longest(runs, newest)
                ]
                snapshot = self.channel.cache_snapshot(b'{"runs":[' + b",".join(encoded) + b"]}")
                break
        return snapshot

    async def read_details(self, runs: Sequence[str]) -> list[WallDetail]:
        """Return the curves and the texts of some runs; unknown runs are left out."""
        self.start()
        self.channel.keep_logging()
        known = {run.id: run for run in self._runs()}
        found = [run for run in runs if run in known]
        for run in found:
            self._card(known[run]).wanted = True
        await self._read_missing()
        return [
            WallDetail(id=run, text=card.text or "", curve=card.curve.whole())
            for run in found
            if (card := self._cards.get(run)) is not None and card.curve is not None
        ]

    async def _tick(self) -> None:
        """Publish the changes; stop when there has been no viewer for a while."""
        if not self.channel.logging:
            self._ticks.stop()
            self._cards.clear()
            return
        await self._read_missing()
        if (message := self._changes()) is not None:
            self.channel.publish(message)

    def _changes(self) -> WallUpdateMessage | None:
        changed: list[WallRun] = []
        progress: list[WallProgress] = []
        runs = self._runs()
        for run in reversed(runs):
            card = self._card(run)
            curve = card.curve
            if card.wanted and curve is None:
                continue  # It went back, and is read before the next message.
            described, figures = _description(run), _figures(run)
            new_text = None if card.text == card.published_text else card.text
            if described != card.described:
                changed.append(_wall_run(run, card.text, curve))
                if curve is not None:
                    curve.take_changes()
            elif figures != card.figures or new_text is not None or (curve and curve.changed):
                changes = None if curve is None else curve.take_changes()
                progress.append(_progress(run, new_text, changes))
            card.described, card.figures = described, figures
            card.published_text = card.text
        present = {run.id for run in runs}
        removed = sorted(self._published - present)
        self._published = present
        if not (changed or progress or removed):
            return None
        return WallUpdateMessage(type="update", runs=changed, progress=progress, removed=removed)

    def _card(self, run: Run) -> _Card:
        if run.id not in self._cards:
            self._cards[run.id] = _Card()
        return self._cards[run.id]

    async def _read_missing(self) -> None:
        """Read the curves and the texts that are wanted and not known."""
        async with self._reading:
            cards = [(run, self._card(run)) for run in self._runs()]
            missing = [run for run, card in cards if card.wanted and card.curve is None]
            for first in range(0, len(missing), RUNS_PER_READ):
                group = [run.id for run in missing[first : first + RUNS_PER_READ]]
                restarts = [
                    self._cards[run].restarts if run in self._cards else -1 for run in group
                ]
                read = await self._store.low_priority(queries.wall_rows, group, MAX_POINTS)
                for run, before, (reduced, text) in zip(group, restarts, read, strict=True):
                    card = self._cards.get(run)
                    if card is not None and card.restarts == before:
                        card.set_read(reduced, text)


def _beginning(text: str) -> str:
    return " ".join(text[:MAX_READ_CHARACTERS].split())[:MAX_TEXT_CHARACTERS]


def _description(run: Run) -> tuple[object, ...]:
    """Return what changes rarely."""
    group = None if run.group is None else (run.group.id, run.group.name)
    spec = run.spec
    return (
        *(run.name, run.state, run.queue_position, run.machine, group, run.sweep),
        *(spec.max_updates, spec.learning_rate),
    )


def _figures(run: Run) -> tuple[object, ...]:
    best = None if run.best is None else run.best.smooth_loss
    return run.update, run.smooth_loss, best, run.updates_per_second


def _progress(run: Run, text: str | None, curve: WallCurve | None) -> WallProgress:
    return WallProgress(
        id=run.id,
        update=run.update,
        smooth_loss=_rounded(run.smooth_loss),
        best=_rounded(None if run.best is None else run.best.smooth_loss),
        updates_per_second=round(run.updates_per_second, 1),
        text=text,
        curve=curve,
    )


def _wall_run(run: Run, text: str | None, curve: ShortCurve | None) -> WallRun:
    spec = run.spec
    return WallRun(
        **_progress(run, text, None if curve is None else curve.whole()),
        name=run.name,
        state=run.state,
        corpus_name=run.corpus_name,
        spec=WallSpec(
            cell=spec.cell,
            hidden_size=spec.hidden_size,
            layers=spec.layers,
            sequence_length=spec.sequence_length,
            batch_size=spec.batch_size,
            optimizer=spec.optimizer,
            learning_rate=spec.learning_rate,
            seed=spec.seed,
            max_updates=spec.max_updates,
        ),
        created_at=run.created_at,
        queue_position=run.queue_position,
        machine=run.machine,
        group=run.group,
        sweep=run.sweep,
    )


def _rounded(loss: float | None) -> float | None:
    return None if loss is None else round(loss, 3)
