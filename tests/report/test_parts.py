"""The parts of a report: the sizes of the check, the choice of texts, the command."""

import asyncio
import shlex

import pytest

from server.report.parts.check_sizes import MAX_WORK_OF_BATCH, check_request, size_differences
from server.report.parts.evolution import Candidates, Choice, choose, gather_evolution
from server.report.parts.languages import language_of
from server.report.parts.setup import changes_of_settings, training_command
from server.report.parts.writing import UnwritableError, Written
from server.rnn.training.divergence import divergence_notice
from server.spec.report_remarks import ReportRemarks
from server.spec.run_spec import RunSpec
from server.spec.schemas import Milestone, Quality, Run, RunState, Sample


@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
@pytest.mark.parametrize(("layers", "batch"), [(1, 1), (2, 4), (1, 16)])
def test_the_check_has_the_runs_cell_layers_and_batch(cell, layers, batch):
    spec = RunSpec(cell=cell, layers=layers, batch_size=batch)
    request = check_request(spec)
    assert (request.cell, request.layers, request.batch_size) == (cell, layers, batch)
    work = request.work_per_character * request.batch_size * request.sequence_length
    assert work <= MAX_WORK_OF_BATCH
    assert request.hidden_size < spec.hidden_size
    named = size_differences(spec, 76, request)
    assert f"{request.hidden_size} hidden units instead of 100" in named
    assert "30 distinct characters instead of 76" in named


def test_a_small_network_is_checked_at_its_size_and_a_huge_one_in_bounded_time():
    small = RunSpec(hidden_size=7, sequence_length=5)
    assert size_differences(small, None, check_request(small)) == []
    huge = RunSpec(cell="lstm", layers=4, hidden_size=2_048, batch_size=1_024, dropout=0.5)
    request = check_request(huge)
    assert (
        request.work_per_character * request.batch_size * request.sequence_length
        <= MAX_WORK_OF_BATCH
    )
    assert "no dropout" in size_differences(huge, 76, request)


@pytest.mark.parametrize(
    ("target", "samples", "snapshots", "expected"),
    [
        (10_000, [10_000, 20_000], [10_000], Choice(10_000, snapshot=False)),
        (10_000, [], [5_000, 10_000], Choice(10_000, snapshot=True)),
        (10_000, [7_000, 14_000], [0, 7_000, 14_000], Choice(7_000, snapshot=False)),
        (10_000, [5_000, 15_000], [5_000], None),
        (10_000, [], [], None),
        (0, [0, 1], [0], Choice(0, snapshot=False)),
        (0, [1], [1], None),
    ],
)
def test_the_nearest_text_is_chosen(target, samples, snapshots, expected):
    assert choose(target, Candidates(samples, snapshots)) == expected


class Snapshots:
    """Writes what it was asked for; the snapshot of update 30,000 is damaged."""

    async def at_update(self, update, length):
        if update == 30_000:
            raise UnwritableError("It is damaged.")
        return Written(f"written at {update}".ljust(length), update, 50.0, None)


def test_what_is_written_for_the_report_and_what_is_missing_is_named():
    sample = Sample(
        update=0,
        epoch=1,
        smooth_loss=None,
        text="x" * 300,
        quality=Quality(0.0, 0, 0),
        hurrahs=["Orla"],
    )

    async def candidates(target):
        return Candidates([0], [10_000, 31_000, 30_000])

    async def read(updates):
        return [sample for update in updates if update == 0]

    async def locate(update):
        return 2, 51.5

    part = asyncio.run(gather_evolution(44_999, candidates, read, locate, Snapshots()))
    first, written = part.texts
    assert (first.update, first.text, first.hurrahs, first.origin) == (0, "x" * 200, ["Orla"], None)
    assert (written.update, written.epoch, written.smooth_loss) == (10_000, 2, 51.5)
    assert written.text.startswith("written at 10000")
    assert "Written for this report from a snapshot" in written.origin
    damaged, absent, later = part.missing
    assert damaged == "Update 30,000 has no text: It is damaged."
    assert "near updates 20,000 and 40,000" in absent
    assert later.startswith("The run has made 44,999 updates, so the texts from update 50,000 on")


def test_the_language_of_a_script():
    assert language_of("昔々、ある所に 12") == "ja"
    assert language_of("从前有一个人") == "zh"
    assert language_of("שלום עולם") == "he"
    assert language_of("Orla and Tobin said 你") is None
    assert language_of("…!") is None


def test_the_command_has_the_options_that_differ():
    spec = RunSpec(optimizer="adam", clip=None, hidden_size=64, seed=9, max_updates=None)
    # `train` has no options for these.
    spec = spec.model_copy(
        update={"corpus": "text", "name": "a", "paused": True, "watch_words": ["Orla"]}
    )
    run = Run(
        id="0123456789ab",
        name="a",
        state=RunState.PAUSED,
        spec=spec,
        corpus="text",
        corpus_name="A text",
        corpus_characters=1_000,
        update=700,
        updates_per_epoch=39,
        parameters=5,
        created_at="2026-03-01",
    )
    words = shlex.split(training_command(run, "my book.txt"))
    assert words[:5] == ["python", "-m", "server", "train", "my book.txt"]
    options = dict(zip(words[5::2], words[6::2], strict=True))
    # The rate is the default of this optimizer; the run has made 700 updates.
    assert options == {
        "--out": "again",
        "--hidden-size": "64",
        "--optimizer": "adam",
        "--clip": "0",
        "--seed": "9",
        "--updates": "700",
    }


def test_the_notice_of_a_divergence_is_no_change_of_a_setting():
    notice = Milestone(update=101, kind="change", text=divergence_notice(2))
    change = Milestone(update=50, kind="change", text="learning rate 0.1 -> 0.05")
    assert changes_of_settings([notice, change]) == [change]


def test_remarks_are_normalized():
    remarks = ReportRemarks(
        title=" a\u202eb\nc ", loss=" one\r\ntwo\x1b\n", translation="שלום\u2067"
    )
    assert (remarks.title, remarks.loss, remarks.translation) == ("a b c", "one\ntwo", "שלום")
