"""Losses of one's own: the files that are read, the curve, and what is said of them."""

import codecs

import numpy as np
import pytest

from server.analysis.own_losses import (
    EXACT_ROWS,
    MAX_FILE_BYTES,
    MAX_ROWS,
    OwnLossesError,
    are_rows,
    compare,
    curve_of,
    read_csv,
    rows_of,
    to_csv,
)
from server.history.summaries import smooth_losses
from server.spec.run_spec import RunSpec
from server.spec.schemas import Run, RunState

SPEC = RunSpec(loss_smoothing=0.9)
TABLE = [[1, 110.5, 110.5], [2, 108.25, 110.0], [4, 100, 109]]


def run_at(update, **spec):
    return Run(
        id="a",
        name="a",
        state=RunState.PAUSED,
        spec=RunSpec(**spec),
        corpus="c",
        corpus_name="c",
        corpus_characters=1000,
        update=update,
        updates_per_epoch=40,
        parameters=1,
        created_at="2026-01-01",
    )


def read(text, spec=SPEC):
    return read_csv(text if isinstance(text, bytes) else text.encode(), spec)


PLAIN = "update,loss,smooth_loss\n1,110.5,110.5\n2,108.25,110\n4,100,109\n"


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        codecs.BOM_UTF8 + PLAIN.encode(),
        PLAIN.encode("utf-16"),
        PLAIN.replace(".", ",,").replace(",,", "\0").replace(",", ";").replace("\0", ","),
        PLAIN.replace(",", "\t"),
        PLAIN.replace(",", " , "),
        PLAIN.replace("update,loss,smooth_loss", '"Iteration","Loss","Smooth loss"'),
        "\n" + PLAIN + "\n\n",
        "epoch,smooth_loss,update,loss\n1,110.5,1,1.105e2\n1,110,2,108.25\n1,109,4,100\n",
        "step;value;smoothed\n1;110.5;110.5\n2;108.25;110\n4;100;109",
    ],
)
def test_files_of_every_usual_form_are_read(data):
    rows, remarks = read(data)
    assert rows.tolist() == TABLE
    assert remarks == []
    assert read(to_csv(rows))[0].tolist() == TABLE


def test_what_is_not_in_the_file_is_computed_and_said():
    rows, remarks = read("update,smooth_loss\n10,5\n20,4\n")
    assert np.isnan(rows[:, 1]).all()
    assert (rows[:, 2].tolist(), remarks) == ([5, 4], [])
    assert are_rows(rows)
    assert np.array_equal(read(to_csv(rows))[0], rows, equal_nan=True)

    losses = np.random.default_rng(0).uniform(50, 110, 300).tolist()
    rows, remarks = read("loss\n" + "\n".join(map(repr, losses)))
    assert rows[:, 0].tolist() == list(range(1, 301))
    expected = list(smooth_losses(losses, None, 0.9))
    assert np.allclose(rows[:, 2], expected, rtol=1e-14)
    assert remarks == [
        "The file has no updates: its rows are counted from 1.",
        "The smooth loss is computed with the run's factor, 0.9.",
    ]
    rows, remarks = read("0,110\n1,100\n")
    assert rows[:, 0].tolist() == [1, 2]
    assert remarks[:2] == [
        "The file has no header: its columns are taken as update, loss.",
        "The file counts from 0, and the run from 1: all updates are one later.",
    ]
    # A loss that stands for ten updates is weighed as ten of them.
    rows, remarks = read("update,loss\n1,100\n11,50\n")
    assert rows[1, 2] == pytest.approx(0.9**10 * 100 + (1 - 0.9**10) * 50)
    assert "Updates are missing" in remarks[-1]
    assert len(read("1,2,3\n2,3,4\n")[1]) == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ("", "The file is empty"),
        ("\n \n", "The file is empty"),
        ("update,loss\n", "a header and no rows"),
        ("update,accuracy\n1,2\n", "No column is named loss or smooth_loss"),
        ("loss,value\n1,2\n", "The columns 'loss' and 'value' both mean loss"),
        ("1,2,3,4\n", "4 columns and no header"),
        ("update,loss\n1,2\n2,\n", "Row 2 has no number for loss"),
        ("update,loss\n1,2\n2\n", "Row 2 has no number for loss"),
        ("update,loss\n1,nan\n", "Row 1 has no number for loss"),
        ("update,loss\n1,inf\n", "Row 1 has no number"),
        ("update,loss\n1,1e300\n", "Row 1 has no number"),
        ("update,loss\n1,1_0\n", "Row 1 has no number"),
        ("update,loss\n1,2\n1,2\n", "Update 1 comes after update 1"),
        ("update,loss\n5,2\n3,2\n", "Update 3 comes after update 5"),
        ("update,loss\n1.5,2\n", "must be a whole number"),
        ("update,loss\n-1,2\n", "must be a whole number"),
        ("update,loss\n1e14,2\n", "must be a whole number|no number"),
        (b"update,loss\n1,\xff\n", "not text in UTF-8"),
        (b"\x89PNG\0\0\0", "not text"),
        (b"a\0b", "not text"),
        ("loss\n" + "1\n" * (MAX_ROWS + 1), "rows; the limit is 250,000"),
        (b" " * (MAX_FILE_BYTES + 1), "bytes; the limit is 5,000,000"),
        ('update,loss\n1,"' + "9" * 200_000 + '"\n', "not one of a CSV file|no number"),
        ('"' + "a" * 200_000, "not one of a CSV file"),
    ],
)
def test_other_files_are_refused_with_one_sentence(data, sentence):
    with pytest.raises(OwnLossesError, match=sentence) as raised:
        read(data)
    assert len(str(raised.value)) < 300
    assert str(raised.value).endswith(".")


def test_the_curve_keeps_the_extremes_of_a_long_file():
    losses = np.random.default_rng(0).uniform(50, 60, 200_000)
    losses[150_000], losses[70_000] = 500, 1
    rows, _ = read("loss\n" + "\n".join(map(str, losses)))
    curve = curve_of(rows)
    assert len(curve.update) <= EXACT_ROWS + 2_000
    assert curve.update[:EXACT_ROWS] == list(range(1, EXACT_ROWS + 1))
    assert curve.update[-1] == 200_000
    assert (min(curve.low), max(curve.high)) == (1, 500)
    assert curve.high[0] == losses[0]
    assert curve.smooth[-1] == rows[-1, 2]
    for few in (1, 2, EXACT_ROWS, EXACT_ROWS + 1):
        short = curve_of(rows[:few])
        assert short.update == list(range(1, few + 1))
        assert short.smooth == rows[:few, 2].tolist()


def rows_apart(difference):
    """Rows at updates 1 to n whose smooth loss is 60 plus a difference."""
    difference = np.asarray(difference, float)
    updates = np.arange(1, len(difference) + 1)
    return np.stack([updates, np.full(len(updates), np.nan), 60 + difference], axis=1)


def text_of(difference, made=None, **spec):
    rows = rows_apart(difference)
    made = len(rows) if made is None else made
    return compare(rows, np.full(made, 60.0), run_at(made, **spec)).text


def test_the_comparison_says_where_they_part_and_how_they_differ_later():
    difference = np.zeros(3_000)
    assert text_of(difference[:50]) == (
        "Yours and this run differ by less than 0.1 at all 50 updates that both have."
    )
    difference[11:] = 0.1000001
    difference[1_500] = -1.25
    text = text_of(difference)
    assert text == (
        "Yours and this run part by 0.1 at update 12. Early AdaGrad is chaotic: compare from update"
        " 1,000. From update 1,000 on yours is 0.10 higher on average, and at most 1.25 apart, at"
        " update 1,501."
    )
    assert "Early training is chaotic" in text_of(difference, optimizer="adam")
    assert text_of(difference, made=500).endswith("There is no such update yet.")
    # Before the first step, it is not the training that makes them differ.
    assert "the weights or the first characters are not the same" in text_of(difference + 0.2)
    assert "chaotic" not in text_of(difference + 0.2)
    late = np.zeros(3_000)
    late[2_000:] = -0.5
    assert text_of(late) == (
        "Yours and this run part by 0.1 at update 2,001. From update 1,000 on yours is 0.25 lower"
        " on average, and at most 0.50 apart, at update 2,001."
    )
    assert text_of(difference, made=0) == (
        "Yours and this run have no update in common yet: yours are of updates 1 to 3,000, and the"
        " run has made 0."
    )
    means = rows_apart(np.zeros(100))
    means[:, 2] /= 25
    assert "Multiply yours by 25." in compare(means, np.full(100, 60.0), run_at(100)).text


@pytest.mark.parametrize(
    "change",
    [
        lambda rows: rows[:0],
        lambda rows: rows[::-1],
        lambda rows: rows * [1, np.inf, 1],
        lambda rows: rows * [1, 1, np.nan],
        lambda rows: np.add(rows, [0.5, 0, 0]),
        lambda rows: rows - [1, 0, 0],
        lambda rows: rows * [1, 1e300, 1],
        lambda rows: np.where(rows == 108.25, np.nan, rows),
    ],
)
def test_only_rows_that_a_file_can_have_are_accepted_from_an_archive(change):
    rows = np.array(TABLE)
    assert are_rows(rows_of(rows.tobytes()))
    assert not are_rows(change(rows))
