from itertools import islice, pairwise

import numpy as np
import pytest

from benchmarks.training.comparison import TASKS, candidates, missing_candidates
from benchmarks.training.lower_bound import parts_of_update
from benchmarks.training.tasks import Task, indices
from benchmarks.training.timing import REPEATS, Candidate, Timing, measure
from server.rnn.cells import CELLS

SMALL = [
    Task(cell=cell, hidden_size=7, sequence_length=4, batch_size=B)
    for B in (1, 3)
    for cell in CELLS
]


def test_candidates_are_measured_in_turns():
    calls = []
    timings = measure(
        {
            "one": Candidate(run=lambda: calls.append("one")),
            "ten": Candidate(run=lambda: calls.append("ten"), operations=10),
        },
        seconds=1e-4,
    )
    assert set(timings) == set(calls) == {"one", "ten"}
    assert all(len(timing.seconds) == REPEATS for timing in timings.values())
    assert sum(a != b for a, b in pairwise(calls)) > 2 * REPEATS


def test_a_lead_is_the_median_of_the_repeats_ratios():
    slow, fast = Timing((2.0, 6.0, 100.0)), Timing((1.0, 2.0, 4.0))
    assert fast.times_faster_than(slow) == 3.0
    assert slow.median == 6.0


@pytest.mark.parametrize("B", [1, 3])
def test_sequences_are_consecutive_parts_of_the_text(B):
    task = Task(sequence_length=5, batch_size=B)
    text = indices()
    part = (len(text) - 1) // B
    for n, (x, y) in enumerate(islice(task.sequences(), 40)):
        assert x.shape == y.shape == (5, B)
        for stream in range(B):
            start = stream * part + 5 * n
            assert np.array_equal(x[:, stream], text[start : start + 5])
            assert np.array_equal(y[:, stream], text[start + 1 : start + 6])


@pytest.mark.parametrize("task", [*SMALL, Task()], ids=str)
def test_every_installed_candidate_can_do_the_task(task):
    for candidate in candidates(task).values():
        assert np.isfinite(candidate.run())
    assert all("does not take part" in sentence for sentence in missing_candidates())


@pytest.mark.parametrize("task", SMALL, ids=str)
def test_the_parts_of_an_update_can_be_timed_alone(task):
    for times, part in parts_of_update(task).values():
        assert times >= 0
        part()
        part()


def test_the_tasks_are_the_documented_ones():
    assert [str(task) for task in TASKS] == [
        "rnn, m 100, T 25, B 1",
        "rnn, m 100, T 50, B 50",
        "rnn, m 512, T 50, B 50",
        "gru, m 100, T 50, B 50",
        "lstm, m 100, T 50, B 50",
    ]
