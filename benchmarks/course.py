"""How many mistakes the course names, and whether it ever calls right gradients wrong."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from rich.console import Console

from benchmarks.verdicts import Verdict
from server.course.comparison import agreement, precision_of, relative_errors
from server.course.mistakes import mistakes_of
from server.course.problem import ProblemQuery, make_problem
from tests.course.support import QUERIES, in_another_order, in_float32, made, named

PROBLEMS = 10_000
# Two mistakes whose gradients agree so well are one: the other is hidden.
SAME = 1e-9


def course(arguments: list[str], console: Console) -> Iterator[Verdict]:
    """Name every mistake and every pair, and judge right gradients of random problems."""
    for count, least in ((1, 0.95), (2, 0.8)):
        shares = [_named(query, count) for query in QUERIES]
        for query, (right, asked) in zip(QUERIES, shares, strict=True):
            console.print(f"{query}, {count} at a time: {right} of {asked} named")
        share = sum(right for right, _ in shares) / sum(asked for _, asked in shares)
        yield Verdict(f"mistakes named, {count} at a time", share, "at least", least)
    problems = int(arguments[0]) if arguments else PROBLEMS
    worst = max(_worst(number) for number in range(problems))
    yield Verdict(f"error of {problems:,} right answers over threshold", worst, "under", 1.0)


def _named(query: ProblemQuery, count: int) -> tuple[int, int]:
    """Return how many combinations of mistakes are named, and how many can be seen."""
    problem, right, asked = make_problem(query), 0, 0
    mistakes = mistakes_of(query.cell)
    alone = {m.name: made(problem, [m], [m.variants_for(query.cell)[0]]) for m in mistakes}
    visible = [mistake for mistake in mistakes if alone[mistake.name] is not None]
    for combination in combinations(visible, count):
        names = tuple(mistake.name for mistake in combination)
        variants = [mistake.variants_for(query.cell)[0] for mistake in combination]
        sent = made(problem, combination, variants)
        if sent is None:
            continue
        others = [alone[name] for name in names] if count > 1 else []
        if not any(other and agreement(sent, other) < SAME for other in others):
            asked += 1
            right += names in named(problem, sent)
    return right, asked


def _worst(number: int) -> float:
    """Return the greatest error of right gradients of a random problem, over the threshold."""
    rng = np.random.default_rng(number)
    sizes = rng.integers(2, 13, 2)
    query = ProblemQuery(
        cell=("rnn", "gru", "lstm")[number % 3],
        hidden_size=int(sizes[0]),
        sequence_length=int(sizes[1]),
        layers=int(rng.integers(1, 4)),
        seed=number,
    )
    problem = make_problem(query)
    sent = (in_another_order if number % 2 else in_float32)(problem)
    precision = precision_of(sent)
    errors = [relative_errors(g, problem.gradients[n], precision) for n, g in sent.items()]
    return max(float(each.max()) for each in errors) / precision.threshold
