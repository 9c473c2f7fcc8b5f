from itertools import islice, pairwise

import numpy as np
import pytest

from benchmarks.training.comparison import TASKS, absent, contestants
from benchmarks.training.lower_bound import necessary
from benchmarks.training.tasks import Task, indices
from benchmarks.training.timing import REPEATS, Contestant, Timing, measure
from server.rnn.cells import CELLS

SMALL = [
    Task(cell=cell, hidden_size=7, sequence_length=4, batch_size=B)
    for B in (1, 3)
    for cell in CELLS
]


def test_all_are_measured_in_turns():
    calls = []
    timings = measure(
        {
            "one": Contestant(run=lambda: calls.append("one")),
            "ten": Contestant(run=lambda: calls.append("ten"), operations=10),
        },
        seconds=1e-4,
    )
    assert set(timings) == set(calls) == {"one", "ten"}
    assert all(len(timing.seconds) == REPEATS for timing in timings.values())
    assert sum(a != b for a, b in pairwise(calls)) > 2 * REPEATS


def test_a_lead_is_the_median_of_each_repeats_own():
    slow, fast = Timing((2.0, 6.0, 100.0)), Timing((1.0, 2.0, 4.0))
    assert fast.times_faster_than(slow) == 3.0
    assert slow.median == 6.0


@pytest.mark.parametrize("B", [1, 3])
def test_sequences_are_those_of_the_text(B):
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
def test_whoever_is_here_can_do_the_task(task):
    for contestant in contestants(task).values():
        assert np.isfinite(contestant.run())
    assert all("does not take part" in sentence for sentence in absent())


@pytest.mark.parametrize("task", SMALL, ids=str)
def test_the_parts_of_an_update_can_be_timed_alone(task):
    for times, part in necessary(task).values():
        assert times >= 0
        part()
        part()


def test_the_tasks_are_those_that_are_promised():
    assert [str(task) for task in TASKS] == [
        "rnn, m 100, T 25, B 1",
        "rnn, m 100, T 50, B 50",
        "rnn, m 512, T 50, B 50",
        "gru, m 100, T 50, B 50",
        "lstm, m 100, T 50, B 50",
    ]
