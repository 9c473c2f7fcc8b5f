"""`train --seeds`: a training for each seed, and the spread of their losses."""

import csv
import shutil
from statistics import mean, stdev

from tests.commands.conftest import train_command
from tests.training import run_command


def lowest(directory):
    with (directory / "losses.csv").open(encoding="utf-8") as file:
        return min(float(row["smooth_loss"]) for row in csv.DictReader(file))


def test_each_seed_is_a_training_of_its_own_and_the_spread_is_printed(book, out, trained):
    together = out.parent / "together"
    command = (*train_command(book, together), "--seeds", 2)
    done = run_command(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(path.name for path in together.iterdir()) == ["seed-7", "seed-8"]
    same = (trained / "losses.csv").read_bytes()
    assert (together / "seed-7" / "losses.csv").read_bytes() == same
    losses = [lowest(together / f"seed-{seed}") for seed in (7, 8)]
    expected = f"Lowest smooth loss: {mean(losses):.3f} ± {stdev(losses):.3f} "
    assert expected in done.stdout
    assert "validation" not in done.stdout
    # A seed that has not begun is trained when the command is continued.
    shutil.rmtree(together / "seed-8")
    done = run_command(*command, "--resume")
    assert expected in done.stdout
