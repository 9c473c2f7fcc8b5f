"""Losses that a user measured elsewhere, such as with a network of their own, beside a run's."""

from __future__ import annotations

import asyncio
import csv
import hashlib
import math
import re
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from server.concurrency.single_flight import SingleFlightCache
from server.errors import UnknownOwnLossesError
from server.spec.run_spec import RunSpec
from server.spec.schemas import ApiModel, OwnLosses, Run
from server.store import queries
from server.store.executor import StoreCalls

__all__ = [
    "MAX_FILE_BYTES",
    "MAX_ROWS",
    "ROW_BYTES",
    "OwnLossesError",
    "OwnLossesResult",
    "OwnLossesService",
    "Rows",
    "are_rows",
    "beside",
    "bytes_of",
    "fingerprint",
    "read_csv",
    "rows_of",
    "to_csv",
]

MAX_FILE_BYTES = 5_000_000
MAX_ROWS = 250_000
ROW_BYTES = 3 * np.dtype("<f8").itemsize
MAX_UPDATE = 10**12
MAX_LOSS = 1e12

UPDATES = ("update", "updates", "step", "iteration", "iterations", "iter", "n", "i")
LOSSES = ("loss", "value", "train_loss", "training_loss")
SMOOTH = ("smooth_loss", "smoothed_loss", "smooth", "smoothed")
DELIMITERS = "\t;,"

# The first points of the curve are single rows: on a logarithmic axis they take half the width.
EXACT_ROWS, BUCKETS = 1_000, 2_000
UPDATES_AT_ONCE = 10_000
CACHED, CACHE_S = 50, 5.0

PART_AT = 0.1
"""The difference of the smooth losses from which two curves are said to have parted, in nats."""
COMPARE_FROM = 1_000
"""The update from which curves are compared: before it, rounding alone makes them part."""
SAME_RATIO = 0.03

Rows = NDArray[np.float64]
"""Shape (n, 3): update, loss (NaN if the file has none) and smooth loss; updates ascend."""


class OwnLossesError(ValueError):
    """The file cannot be used; the message is one sentence."""


class OwnCurve(ApiModel):
    """The losses in buckets: the last update of each, and the smooth loss there.

    `low` and `high` are the least and the greatest loss of each bucket, or smooth loss if the file
    has no other.
    """

    update: list[int]
    smooth: list[float]
    low: list[float]
    high: list[float]


class OwnComparison(ApiModel):
    """How the smooth losses differ from the run's, at the updates that both have.

    Attributes
    ----------
    updates : int
        How many updates both have.
    parted_at : int or None
        The first update with a difference of at least 0.1; None if there is none.
    mean, greatest, greatest_at : float, float, int; or None
        From update 1,000 on: the mean of yours minus the run's, the greatest absolute difference,
        and its update; None if there are no such updates.
    text : str
        The same in sentences.
    """

    updates: int
    parted_at: int | None = None
    mean: float | None = None
    greatest: float | None = None
    greatest_at: int | None = None
    text: str


class OwnLossesResult(ApiModel):
    """The losses of a file beside those of a run."""

    file: str
    rows: int
    remarks: list[str]
    curve: OwnCurve
    comparison: OwnComparison


# -- the file -------------------------------------------------------------------------------------


def read_csv(data: bytes, spec: RunSpec) -> tuple[Rows, list[str]]:
    """Read a file of losses.

    Parameters
    ----------
    data : bytes
        The file: columns `update`, `loss` and `smooth_loss`, of which others may be missing.
    spec : RunSpec
        That of the run, whose factor smooths losses that are not smooth.

    Returns
    -------
    rows : ndarray of float64, shape (n, 3)
        As `Rows`.
    remarks : list of str
        What was assumed, in sentences.

    Raises
    ------
    OwnLossesError
        The file is not one, or has too many rows.
    """
    remarks: list[str] = []
    lines = [line for line in _decoded(data).splitlines() if line.strip()]
    if not lines:
        raise OwnLossesError("The file is empty.")
    delimiter = next((each for each in DELIMITERS if each in lines[0]), ",")
    first = _cells(lines[0], delimiter)
    if any(_number(cell, delimiter) is None for cell in first):
        columns = _named(first)
        lines = lines[1:]
    else:
        columns = _assumed(len(first), remarks)
    if len(lines) > MAX_ROWS:
        raise OwnLossesError(f"The file has {len(lines):,} rows; the limit is {MAX_ROWS:,}.")
    if not lines:
        raise OwnLossesError("The file has a header and no rows.")
    found = _values(lines, delimiter, columns)
    rows = np.full((len(lines), 3), np.nan)
    if "update" in columns:
        rows[:, 0] = found["update"]
    else:
        rows[:, 0] = np.arange(1, len(lines) + 1)
        remarks.append("The file has no updates: its rows are counted from 1.")
    _check_updates(rows[:, 0])
    if rows[0, 0] == 0:
        rows[:, 0] += 1
        remarks.append("The file counts from 0, and the run from 1: all updates are one later.")
    if "loss" in columns:
        rows[:, 1] = found["loss"]
    if "smooth_loss" in columns:
        rows[:, 2] = found["smooth_loss"]
    else:
        rows[:, 2] = _smoothed(rows, spec.smoothing)
        remarks.append(f"The smooth loss is computed with the run's factor, {spec.smoothing:g}.")
        if np.any(np.diff(rows[:, 0]) > 1):
            remarks.append("Updates are missing: each loss stands for those since the row before.")
    return rows, remarks


def to_csv(rows: Rows) -> str:
    """Return a file that `read_csv` reads as the same rows."""
    has_loss = not np.isnan(rows[0, 1])
    lines = ["update,loss,smooth_loss" if has_loss else "update,smooth_loss"]
    for update, loss, smooth in rows.tolist():
        lines.append(
            f"{int(update)},{loss!r},{smooth!r}" if has_loss else f"{int(update)},{smooth!r}"
        )
    return "\n".join(lines) + "\n"


def _decoded(data: bytes) -> str:
    if len(data) > MAX_FILE_BYTES:
        raise OwnLossesError(f"The file has {len(data):,} bytes; the limit is {MAX_FILE_BYTES:,}.")
    # What a spreadsheet calls "Unicode text".
    wide = data.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise OwnLossesError("The file is not text in UTF-8.") from error
    if "\0" in text:
        raise OwnLossesError("The file is not text.")
    return text


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        (cells,) = csv.reader([line], delimiter=delimiter)
    except (csv.Error, ValueError) as error:
        raise OwnLossesError("The first row is not one of a CSV file.") from error
    return [cell.strip() for cell in cells]


def _number(cell: str, delimiter: str) -> float | None:
    """Return a number, which has a decimal comma if the columns are not separated by commas."""
    text = cell if delimiter == "," else cell.replace(",", ".")
    try:
        # Python would also read "1_000".
        return None if "_" in text else float(text)
    except ValueError:
        return None


def _named(header: list[str]) -> dict[str, int]:
    """Return the index of each column by its meaning."""
    names = [re.sub(r"[\s-]+", "_", name.lower()) for name in header]
    columns = {}
    for meaning, known in (("update", UPDATES), ("loss", LOSSES), ("smooth_loss", SMOOTH)):
        found = [index for index, name in enumerate(names) if name in known]
        if len(found) > 1:
            named = " and ".join(repr(header[index][:30]) for index in found[:2])
            raise OwnLossesError(f"The columns {named} both mean {meaning}.")
        if found:
            columns[meaning] = found[0]
    if "loss" not in columns and "smooth_loss" not in columns:
        named = ", ".join(repr(name[:30]) for name in header[:6])
        raise OwnLossesError(f"No column is named loss or smooth_loss: the first row has {named}.")
    return columns


def _assumed(width: int, remarks: list[str]) -> dict[str, int]:
    """Return the columns of a file without a header."""
    meanings = {1: ["loss"], 2: ["update", "loss"], 3: ["update", "loss", "smooth_loss"]}
    if width not in meanings:
        raise OwnLossesError(
            f"The file has {width} columns and no header: name them update, loss, smooth_loss."
        )
    remarks.append(
        f"The file has no header: its columns are taken as {', '.join(meanings[width])}."
    )
    return {meaning: index for index, meaning in enumerate(meanings[width])}


def _values(
    lines: list[str], delimiter: str, columns: dict[str, int]
) -> dict[str, NDArray[np.float64]]:
    values: dict[str, list[float]] = {meaning: [] for meaning in columns}
    for number, cells in enumerate(_reader(lines, delimiter), 1):
        for meaning, index in columns.items():
            value = _number(cells[index], delimiter) if index < len(cells) else None
            if value is None or not math.isfinite(value) or abs(value) > MAX_LOSS:
                raise OwnLossesError(
                    f"Row {number:,} has no number for {meaning}: every row needs one, that is"
                    " finite."
                )
            values[meaning].append(value)
    return {meaning: np.array(numbers) for meaning, numbers in values.items()}


def _reader(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    try:
        yield from csv.reader(lines, delimiter=delimiter)
    except csv.Error as error:
        raise OwnLossesError("A row is not one of a CSV file.") from error


def _check_updates(updates: NDArray[np.float64]) -> None:
    if np.any(updates != np.floor(updates)) or updates[0] < 0 or updates.max() > MAX_UPDATE:
        raise OwnLossesError("An update must be a whole number, from 0 or 1 on.")
    if np.any(back := np.diff(updates) <= 0):
        at = int(np.argmax(back))
        before, after = int(updates[at]), int(updates[at + 1])
        raise OwnLossesError(f"Update {after:,} comes after update {before:,}: they must ascend.")


def _smoothed(rows: Rows, factor: float) -> NDArray[np.float64]:
    """Return the smooth loss; each loss counts for all updates since the row before."""
    gaps = np.diff(rows[:, 0], prepend=rows[0, 0] - 1)
    smooth, result = None, []
    for loss, keep in zip(rows[:, 1].tolist(), (factor**gaps).tolist(), strict=True):
        smooth = loss if smooth is None else keep * smooth + (1.0 - keep) * loss
        result.append(smooth)
    return np.array(result)


# -- beside the run -------------------------------------------------------------------------------


def curve_of(rows: Rows) -> OwnCurve:
    """Return the rows in buckets that keep the least and the greatest loss."""
    bucket = max(1, -(-(len(rows) - EXACT_ROWS) // BUCKETS))
    starts = np.concatenate(
        [
            np.arange(min(EXACT_ROWS, len(rows))),
            np.arange(EXACT_ROWS, len(rows), bucket),
        ]
    )
    ends = np.append(starts[1:], len(rows)) - 1
    shown = rows[:, 2] if np.isnan(rows[0, 1]) else rows[:, 1]
    return OwnCurve(
        update=rows[ends, 0].astype(np.int64).tolist(),
        smooth=rows[ends, 2].tolist(),
        low=np.minimum.reduceat(shown, starts).tolist(),
        high=np.maximum.reduceat(shown, starts).tolist(),
    )


def compare(rows: Rows, theirs: NDArray[np.float64], run: Run) -> OwnComparison:
    """Compare the smooth losses.

    Parameters
    ----------
    rows : ndarray of float64, shape (n, 3)
        As `Rows`.
    theirs : ndarray of float64, shape (k,)
        The run's smooth losses at the first k of these updates; the run has not made the others.
    run : Run
        The run.
    """
    if not len(theirs):
        first, last = rows[0, 0], rows[-1, 0]
        text = (
            f"Yours and this run have no update in common yet: yours are of updates {first:,.0f} to"
            f" {last:,.0f}, and the run has made {run.update:,}."
        )
        return OwnComparison(updates=0, text=text)
    updates, mine = rows[: len(theirs), 0].astype(np.int64), rows[: len(theirs), 2]
    difference = mine - theirs
    apart = np.abs(difference)
    length = run.spec.sequence_length
    ratio = float(np.median(mine) / np.median(theirs)) if np.median(theirs) else 1.0
    if length > 1 and abs(ratio * length - 1) < SAME_RATIO:
        text = (
            f"Yours are about 1/{length} of this run's: they are means over the {length} characters"
            f" of a sequence, and the run's are sums. Multiply yours by {length}."
        )
        return OwnComparison(updates=len(theirs), parted_at=int(updates[0]), text=text)
    parts = apart >= PART_AT
    parted_at = int(updates[np.argmax(parts)]) if parts.any() else None
    late = updates >= COMPARE_FROM
    result = OwnComparison(updates=len(theirs), parted_at=parted_at, text="")
    if late.any():
        at = int(np.argmax(np.where(late, apart, -1.0)))
        result.mean = float(difference[late].mean())
        result.greatest, result.greatest_at = float(apart[at]), int(updates[at])
    result.text = " ".join(_sentences(result, run.spec))
    return result


def _sentences(result: OwnComparison, spec: RunSpec) -> Iterator[str]:
    if result.parted_at is None:
        which = "the one update" if result.updates == 1 else f"all {result.updates:,} updates"
        yield f"Yours and this run differ by less than {PART_AT} at {which} that both have."
    else:
        yield f"Yours and this run part by {PART_AT} at update {result.parted_at:,}."
        if result.parted_at == 1:
            yield (
                "No step comes before that loss, so the weights or the first characters are not the"
                f" same: compare from update {COMPARE_FROM:,}."
            )
        elif result.parted_at < COMPARE_FROM:
            what = "AdaGrad" if spec.optimizer == "adagrad" else "training"
            yield f"Early {what} is chaotic: compare from update {COMPARE_FROM:,}."
    if result.mean is None or result.greatest is None:
        if result.parted_at is not None:
            yield "There is no such update yet."
        return
    where = "lower" if result.mean < 0 else "higher"
    yield (
        f"From update {COMPARE_FROM:,} on yours is {abs(result.mean):.2f} {where} on average, and"
        f" at most {result.greatest:.2f} apart, at update {result.greatest_at:,}."
    )


class OwnLossesService:
    """Puts losses beside those of a run.

    Parameters
    ----------
    store : callable
        The database.
    clock : callable
        Returns the time, in seconds.
    """

    def __init__(self, store: StoreCalls, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._cache: SingleFlightCache[bytes] = SingleFlightCache(CACHED)

    async def result(self, run: Run, about: OwnLosses, rows: Rows) -> OwnLossesResult:
        """Return losses beside those of a run; raises as `beside`."""
        return await beside(run, about, rows, self._store)

    async def kept(self, run: Run) -> bytes:
        """Return the JSON of the result of the losses that are kept with a run.

        Raises
        ------
        UnknownOwnLossesError
            There are none.
        TooBusyError
            As for `result`.
        """
        if (about := run.own_losses) is None:
            raise UnknownOwnLossesError(run.id)

        async def compute() -> bytes:
            result = await self.result(run, about, await self.rows(run))
            return result.model_dump_json().encode()

        # A run that trains gets further; one that went back has other losses at the same update.
        period = int(self._clock() / CACHE_S)
        return await self._cache.get((run.id, about.model_dump_json(), period), compute)

    async def rows(self, run: Run) -> Rows:
        """Return the rows that are kept with a run; raises as `kept`."""
        data = await self._store(queries.own_losses, run.id)
        if data is None:
            raise UnknownOwnLossesError(run.id)
        return rows_of(data)


async def beside(run: Run, about: OwnLosses, rows: Rows, store: StoreCalls) -> OwnLossesResult:
    """Return losses beside those of a run, up to its last update.

    Raises
    ------
    TooBusyError
        Too many requests are waiting for the database.
    """
    made = rows[rows[:, 0] <= run.update, 0].astype(np.int64)
    theirs = [
        await store(queries.smooth_at, run.id, made[first : first + UPDATES_AT_ONCE])
        for first in range(0, len(made), UPDATES_AT_ONCE)
    ]
    # Fewer than `made`, if the run has gone back meanwhile.
    found = np.concatenate([np.empty(0), *theirs])
    return await asyncio.to_thread(_result, run, about, rows, found)


def bytes_of(rows: Rows) -> bytes:
    """Return what `rows_of` takes."""
    return rows.astype("<f8").tobytes()


def rows_of(data: bytes) -> Rows:
    """Return rows from their bytes, float64 and little-endian."""
    return np.frombuffer(data, "<f8").reshape(-1, 3)


def fingerprint(data: bytes) -> str:
    """Return a hash of the bytes of rows: 16 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()[:16]


def are_rows(rows: Rows) -> bool:
    """Whether rows from an archive are as `read_csv` returns them."""
    updates, losses, smooth = rows.T
    return bool(
        0 < len(rows) <= MAX_ROWS
        and np.isfinite(updates).all()
        and np.isfinite(smooth).all()
        and (np.isfinite(losses).all() or np.isnan(losses).all())
        and np.nanmax(np.abs(rows[:, 1:])) <= MAX_LOSS
        and updates[0] >= 1
        and updates[-1] <= MAX_UPDATE + 1
        and (updates == np.floor(updates)).all()
        and (np.diff(updates) > 0).all()
    )


def _result(run: Run, about: OwnLosses, rows: Rows, theirs: NDArray[np.float64]) -> OwnLossesResult:
    return OwnLossesResult(
        file=about.file,
        rows=len(rows),
        remarks=about.remarks,
        curve=curve_of(rows),
        comparison=compare(rows, theirs, run),
    )
