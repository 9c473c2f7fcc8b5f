"""`problem` and `check` on the command line."""

import numpy as np
from typer.testing import CliRunner

from server.__main__ import app
from server.course.problem import ProblemQuery, make_problem


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_problem_is_written_and_the_gradients_beside_it_are_checked(tmp_path):
    written = run("problem", "--cell", "lstm", "--seed", "3", "--out", tmp_path / "problem.npz")
    assert written.exit_code == 0, written.output
    problem = make_problem(ProblemQuery(cell="lstm", seed=3))
    mine = tmp_path / "my_gradients.npz"
    np.savez(mine, **{f"d{name}": g for name, g in problem.gradients.items()})
    passed = run("check", mine)
    assert passed.exit_code == 0, passed.output
    assert "The gradients are right." in passed.output

    np.savez(mine, **{name: g / 10 for name, g in problem.gradients.items()})
    wrong = run("check", mine)
    assert wrong.exit_code == 1
    assert "mean_instead_of_sum" in wrong.output
    # Options override the problem beside it.
    other = run("check", mine, "--seed", "4")
    assert other.exit_code == 1
    assert "mean_instead_of_sum" not in other.output
    assert "Problem: lstm, layers: 1, m = 20, T = 10, seed 4." in other.output

    (tmp_path / "problem.npz").write_bytes(b"")
    assert "problem.npz beside it is not a problem" in run("check", mine).output.replace("\n", " ")
    mine.write_bytes(b"text")
    refused = run("check", mine)
    assert refused.exit_code == 1
    assert "neither .npz nor safetensors" in refused.output.replace("\n", " ")


def test_the_problem_named_in_the_file_is_used(tmp_path):
    problem = make_problem(ProblemQuery(hidden_size=7))
    mine = tmp_path / "mine.npz"
    query = np.array('{"hidden_size": 7}')
    np.savez(mine, query=query, **problem.gradients)
    assert run("check", mine).exit_code == 0
    # A file that names none is not compared with the default problem.
    np.savez(mine, **problem.gradients)
    assert "Which problem is this?" in run("check", mine).output
    assert run("check", mine, "--hidden-size", "7").exit_code == 0
