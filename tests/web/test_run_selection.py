"""Search, states and pages of the list of runs."""

from __future__ import annotations

import pytest

from server.errors import UnknownRunError
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run, RunState
from server.web.run_selection import select_runs


def run(number: int, state: RunState, name: str, cell: str = "rnn") -> Run:
    return Run(
        id=f"{number:012x}",
        name=name,
        state=state,
        spec=RunSpec.model_validate({"cell": cell}),
        corpus="alice",
        corpus_name="Alice in Wonderland",
        corpus_characters=1_000,
        updates_per_epoch=40,
        parameters=100,
        created_at="2026-01-01T00:00:00+00:00",
    )


RUNS = [
    run(9, RunState.RUNNING, "wide GRU", "gru"),
    run(8, RunState.PAUSED, "wide"),
    run(7, RunState.FINISHED, "narrow GRU", "gru"),
    run(6, RunState.FINISHED, "Ärger"),
]


def names(**wanted: object) -> tuple[list[str], int]:
    page, total = select_runs(RUNS, **wanted)  # type: ignore[arg-type]
    return [run.name for run in page], total


def test_without_parameters_all_runs_are_returned() -> None:
    assert select_runs(RUNS) == (RUNS, 4)


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"search": "WIDE gru"}, ["wide GRU"]),
        ({"search": "ärger"}, ["Ärger"]),
        ({"search": "wonderland gru"}, ["wide GRU", "narrow GRU"]),
        ({"search": "000008"}, ["wide"]),
        ({"search": "lstm"}, []),
        ({"states": [RunState.PAUSED, RunState.RUNNING]}, ["wide GRU", "wide"]),
        ({"states": [RunState.FINISHED], "search": "gru"}, ["narrow GRU"]),
    ],
)
def test_runs_are_found_by_words_and_states(wanted: dict[str, object], found: list[str]) -> None:
    assert names(**wanted) == (found, len(found))


def test_pages_follow_each_other_although_the_first_run_of_a_page_does_not_match() -> None:
    assert names(limit=1, search="gru") == (["wide GRU"], 2)
    assert names(limit=1, search="gru", before=RUNS[0].id) == (["narrow GRU"], 2)
    assert names(limit=1, search="gru", before=RUNS[1].id) == (["narrow GRU"], 2)
    assert names(limit=9, search="gru", before=RUNS[2].id) == ([], 2)


def test_a_page_after_an_unknown_run_is_refused() -> None:
    with pytest.raises(UnknownRunError):
        select_runs(RUNS, before="deleted")
