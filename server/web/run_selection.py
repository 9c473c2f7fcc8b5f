"""A part of the list of runs: those that match a search, a page at a time."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from server.errors import UnknownRunError
from server.spec.schemas import Run, RunState

__all__ = ["select_runs"]


def select_runs(
    runs: Sequence[Run],
    *,
    search: str = "",
    states: Collection[RunState] = (),
    before: str | None = None,
    limit: int | None = None,
) -> tuple[list[Run], int]:
    """Return a page of the runs that match, and how many match.

    Parameters
    ----------
    runs : sequence of Run
        All runs, newest first.
    search : str
        Words that must all occur, in any case, in the id, the name, the name of the corpus or the
        cell of a run.
    states : collection of RunState
        The states that match; empty: all.
    before : str or None
        Id of a run, which need not match: the page begins after it. None: with the newest run.
    limit : int or None
        Length of the page, at most; None: all.

    Raises
    ------
    UnknownRunError
        There is no run with the id `before`.
    """
    words = search.casefold().split()
    first = 0
    if before is not None:
        ids = [run.id for run in runs]
        if before not in ids:
            raise UnknownRunError(before)
        first = ids.index(before) + 1
    matching = [
        (index, run)
        for index, run in enumerate(runs)
        if (not states or run.state in states) and _contains(run, words)
    ]
    return [run for index, run in matching if index >= first][:limit], len(matching)


def _contains(run: Run, words: Sequence[str]) -> bool:
    text = f"{run.id} {run.name} {run.corpus_name} {run.spec.cell}".casefold()
    return all(word in text for word in words)
