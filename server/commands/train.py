"""`python -m server train`: train without a browser, with the same code as a run."""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from server.checkpoints.checkpoint_format import (
    checkpoint_contents,
    describe_differences,
    model_contents,
    new_trainer,
    restore_trainer,
)
from server.checkpoints.npz import Arrays, DamagedArchiveError, Meta, write_archive
from server.commands.console import TrainingConsole
from server.commands.output_directory import (
    BEST,
    CHECKPOINT,
    LOSSES,
    LOSSES_HEADER,
    METRICS,
    SAMPLES,
    TEST,
    AppendOnlyFile,
    create_output_directory,
    lock_output_directory,
    read_test,
    truncate,
    truncate_losses,
    with_filename,
)
from server.commands.resume import ResumeState, TrainingError, read_resume_state
from server.corpora.proper_names import find_names, find_words
from server.corpora.visible_text import escape_controls, without_controls
from server.files.durable import replacing
from server.files.failpoints import failpoint
from server.history.metric_csv import metric_header, metric_row
from server.inference.test_part import loss_on_test_part
from server.rnn.metrics import METRICS as METRIC_DEFINITIONS
from server.rnn.training.divergence import divergence_notice
from server.rnn.training.trainer import Measure, StateError, Trainer
from server.rnn.vocabulary import Vocabulary
from server.runs.initial_checkpoint import GivenFile, spec_for
from server.spec.run_spec import RunSpec, SpecError, describe_changes
from server.spec.sample_schedule import next_sample
from server.spec.schemas import GivenWeights, LossOnTest

__all__ = ["NO_TEST_PART", "TrainingSession", "train"]

NO_TEST_PART = "must be greater than 0 for --test"

DISPLAY_EVERY_S = 0.1


def train(
    text: str,
    requested: RunSpec,
    given: AbstractSet[str],
    out: Path,
    *,
    weights: GivenFile | None = None,
    resume: bool,
    console: TrainingConsole,
) -> TrainingSession:
    """Train until all updates are made or a stop is requested.

    The output directory then contains a checkpoint to resume, the best model, the loss of every
    update, and the samples.

    Parameters
    ----------
    text : str
        The text to learn from.
    requested : RunSpec
        The spec that the command line describes.
    given : set of str
        The fields that were given as options. On resume all others are the checkpoint's.
    out : pathlib.Path
        The output directory, created if necessary.
    weights : GivenFile or None
        The weights to start from; None: random ones.
    resume : bool
        Whether to continue from the directory's checkpoint.
    console : TrainingConsole
        Shows the progress, and requests the stop.

    Returns
    -------
    TrainingSession
        The session at its last update.

    Raises
    ------
    TrainingError
        There is no checkpoint to resume, or it does not fit; or the directory contains another
        training; or the loss was not a finite number.
    SpecError
        A given option cannot be combined with the checkpoint, or with the weights.
    ParametersError
        The weights do not fit the text.
    """
    with contextlib.ExitStack() as stack:
        if resume:
            stack.enter_context(lock_output_directory(out))
            state = read_resume_state(out / CHECKPOINT)
            session = TrainingSession(text, state.spec_with(requested, given), out, console)
            session.restore(state)
        else:
            # The trainer first: a text that is too short leaves no directory behind.
            if weights is not None:
                requested = spec_for(requested, given, weights.parameters)
            session = TrainingSession(text, requested, out, console)
            if weights is not None:
                session.start_from(weights)
            stack.enter_context(create_output_directory(out))
        failpoint("train.begin")
        session.run()
    return session


@dataclass(frozen=True, slots=True)
class _Files:
    """The files that grow during a training."""

    losses: AppendOnlyFile
    metrics: AppendOnlyFile
    samples: AppendOnlyFile


class TrainingSession:
    """One training, its output directory and its console. Nothing is written before `run`.

    Parameters
    ----------
    text, out, console
        As for `train`.
    spec : RunSpec
        The spec to train with.
    """

    def __init__(self, text: str, spec: RunSpec, out: Path, console: TrainingConsole) -> None:
        self._spec: dict[str, Any] = spec.model_dump(mode="json")
        self._out = out
        self._text = text
        self._training_console = console
        self._console = console.console
        self._text_sha256 = hashlib.sha256(text.encode()).hexdigest()
        self._vocabulary = Vocabulary.from_text(text)
        indices = self._vocabulary.encode(text)
        self._trainer: Trainer = new_trainer(indices, self._vocabulary, self._spec)
        self._watch_words = find_names(text) if spec.watch_words is None else spec.watch_words
        self._resumed: ResumeState | None = None
        self._given_weights: dict[str, Any] | None = None

    @property
    def made_no_update(self) -> bool:
        """Whether a resumed training had made all its updates before."""
        return (
            self._resumed is not None
            and self._trainer.updates == self._resumed.meta["trainer"]["updates"]
        )

    @property
    def trainer(self) -> Trainer:
        """The trainer at the last update."""
        return self._trainer

    def start_from(self, weights: GivenFile) -> None:
        """Start from given weights instead of random ones.

        Raises
        ------
        ParametersError
            They do not fit the text or the type of the numbers.
        """
        parameters = weights.parameters.for_vocabulary(self._vocabulary)
        parameters = parameters.of_type(self._spec["dtype"])
        parameters.copy_to(self._trainer)
        about = GivenWeights(file=weights.name, remarks=parameters.remarks)
        self._given_weights = about.model_dump()
        self._print(f"The weights are those of {about.file}.")
        for sentence in about.remarks:
            self._print(sentence)

    def restore(self, state: ResumeState) -> None:
        """Continue from a checkpoint.

        Raises
        ------
        TrainingError
            The checkpoint was made with another text or another network.
        """
        meta = state.meta
        # The hash is of the text, not of the file, whose encoding may change. A checkpoint of an
        # earlier version has none: then only the vocabulary is compared.
        if meta.get("text_sha256", self._text_sha256) != self._text_sha256:
            raise state.error("the checkpoint was made with another text")
        try:
            restore_trainer(self._trainer, self._vocabulary, state.arrays, meta)
        except (DamagedArchiveError, StateError) as error:
            raise state.error(error) from error
        # Unless it was changed, the rate is the checkpoint's, which may have decayed.
        if self._spec["learning_rate"] != state.spec.learning_rate:
            self._trainer.learning_rate = self._spec["learning_rate"]
        self._resumed = state
        self._given_weights = meta.get("given_weights")
        before = state.spec.model_dump(mode="json")
        changes = {name: value for name, value in self._spec.items() if value != before[name]}
        if changes:
            self._print(f"Changed: {describe_changes(state.spec, changes)}.")
        for sentence in describe_differences(self._trainer, meta):
            self._print(sentence)

    def run(self) -> None:
        """Train until all updates are made or a stop is requested, and save everything.

        Raises
        ------
        TrainingError
            The loss was not a finite number.
        """
        for unfinished in self._out.glob(".*.npz.*.tmp"):
            unfinished.unlink(missing_ok=True)
        if self._resumed is not None:
            self._truncate_to_checkpoint(self._resumed.meta)
        self._next_sample = next_sample(self._trainer.updates, self._spec["sample_every"])
        # The files of a training that was killed before its first checkpoint are overwritten.
        fresh = self._trainer.updates == 0
        with (
            self._progress_bar() as progress,
            AppendOnlyFile(self._out / LOSSES, overwrite=fresh) as losses,
            AppendOnlyFile(self._out / METRICS, overwrite=fresh) as metrics,
            AppendOnlyFile(self._out / SAMPLES, overwrite=fresh) as samples,
        ):
            files = _Files(losses, metrics, samples)
            if fresh:
                (self._out / TEST).unlink(missing_ok=True)
                losses.write(LOSSES_HEADER)
                self._write_sample(samples)
            self._metric_names = self._begin_metrics(metrics)
            self._train(progress, files)
            self._save(files)
            self._write_last_sample(samples)

    def measure_test_part(self) -> LossOnTest:
        """Measure the test part with the best model, and keep the result in the directory.

        A warning is printed if it has been measured before.

        Raises
        ------
        SpecError
            The training has no test part.
        TrainingError
            There is no best model, or its loss is not a finite number.
        """
        trainer, path = self._trainer, self._out / TEST
        if not self._spec["test_fraction"]:
            raise SpecError("test_fraction", NO_TEST_PART)
        before = read_test(path)
        if before is not None:
            self._print(
                f"Warning: the test part was measured at {before.measured_at}. A test part is for"
                " one measurement: whoever chooses by it has none left."
            )
        by: Measure = "smooth_loss" if trainer.best_validation_update is None else "validation"
        model = trainer.best_model(by)
        if model is None:
            raise TrainingError("There is no best model to test: no update has been made.")
        loss = loss_on_test_part(model, self._vocabulary, self._text, self._spec)
        if not math.isfinite(loss.nats):
            raise TrainingError("The loss on the test part is not a finite number.")
        result = LossOnTest.measured(before, by=by, update=model.update, **loss._asdict())
        with replacing(path) as file:
            file.write(result.model_dump_json(indent=2).encode() + b"\n")
        return result

    # -- training ---------------------------------------------------------------------------------

    def _train(self, progress: Progress, files: _Files) -> None:
        trainer, last = self._trainer, self._spec["max_updates"]
        task = progress.add_task("", total=last, completed=trainer.updates, loss="", speed="")
        display_due_s = previous_s = time.monotonic()
        save_due_s = previous_s + self._spec["checkpoint_every_s"]
        updates_before = trainer.updates
        diverged = trainer.diverged_since
        while not self._training_console.should_stop and (last is None or trainer.updates < last):
            epoch, position = trainer.epoch, trainer.position
            loss = trainer.update()
            row = f"{trainer.updates},{epoch},{position},{loss!r},{trainer.smooth_loss!r}\n"
            files.losses.write(row)
            if trainer.metrics:
                values = [trainer.metrics.get(name, math.nan) for name in self._metric_names]
                files.metrics.write(metric_row(trainer.updates, epoch, position, values))
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss was not a finite number at update {trainer.updates:,}: try a lower"
                    " learning rate, or continue from the last checkpoint with --resume."
                )
            if diverged is None and trainer.diverged_since is not None:
                notice = divergence_notice(trainer.diverged_since)
                self._print(f"{notice} Try a lower learning rate.")
            diverged = trainer.diverged_since
            if trainer.updates == self._next_sample:
                self._write_sample(files.samples)
                self._next_sample = next_sample(trainer.updates, self._spec["sample_every"])
            now_s = time.monotonic()
            if now_s >= display_due_s:
                speed = (trainer.updates - updates_before) / max(now_s - previous_s, 1e-9)
                progress.update(
                    task,
                    completed=trainer.updates,
                    loss=f"smooth loss {trainer.smooth_loss:.2f}",
                    speed=f"{speed:,.0f}/s",
                )
                display_due_s = now_s + DISPLAY_EVERY_S
            if now_s >= save_due_s:
                self._save(files)
                save_due_s = now_s + self._spec["checkpoint_every_s"]
        progress.update(task, completed=trainer.updates)

    def _print(self, sentence: str) -> None:
        # It may quote the checkpoint, which must not control the terminal.
        self._console.print(without_controls(sentence), markup=False, highlight=False)

    def _write_sample(self, samples: AppendOnlyFile) -> None:
        trainer = self._trainer
        text = self._vocabulary.decode(trainer.sample(self._spec["sample_length"]))
        heading = f"update {trainer.updates:,}"
        if trainer.smooth_loss is not None:
            heading += f", smooth loss {trainer.smooth_loss:.2f}"
        if trainer.validation_is_due(self._spec["sample_every"], last=self._is_last):
            heading += f", validation loss {trainer.validate():.2f}"
        samples.write(f"--- {heading}\n{text}\n\n")
        self._console.rule(heading, style="dim")
        shown = escape_controls(text)
        self._console.print(shown, markup=False, highlight=False, soft_wrap=True)
        for word in find_words(text, self._watch_words):
            self._watch_words = [other for other in self._watch_words if other != word]
            self._console.print(f"hurrah - {escape_controls(word)}!", style="bold", markup=False)

    @property
    def _is_last(self) -> bool:
        """Whether all updates are made."""
        return bool(self._trainer.updates == self._spec["max_updates"])

    def _write_last_sample(self, samples: AppendOnlyFile) -> None:
        """Write a sample of the finished training, if none is written.

        It comes after the checkpoint, so that a training that continues leaves it out, as one that
        was never interrupted does.
        """
        update, every = self._trainer.updates, self._spec["sample_every"]
        if self._is_last and next_sample(update - 1, every) != update:
            self._write_sample(samples)
            samples.sync()

    # -- files ------------------------------------------------------------------------------------

    def _begin_metrics(self, metrics: AppendOnlyFile) -> list[str]:
        """Write the first line of the metrics, unless it is there; return the names in it."""
        with (self._out / METRICS).open(encoding="utf-8") as file:
            header = file.readline()
        if not header:
            metrics.write(header := metric_header(METRIC_DEFINITIONS))
        return header.strip().split(",")[3:]

    def _save(self, files: _Files) -> None:
        # The text files first: a resume cuts them back to the checkpoint, but cannot extend them.
        sizes = {
            LOSSES: files.losses.sync(),
            METRICS: files.metrics.sync(),
            SAMPLES: files.samples.sync(),
        }
        arrays, meta = checkpoint_contents(self._trainer, self._vocabulary, self._spec)
        meta |= {"lengths_bytes": sizes, "text_sha256": self._text_sha256}
        if self._given_weights is not None:
            meta["given_weights"] = self._given_weights
        self._write_archive(CHECKPOINT, arrays, meta)
        if (best := self._trainer.best_model()) is not None:
            self._write_archive(BEST, *model_contents(best, self._vocabulary, self._spec))

    def _write_archive(self, name: str, arrays: Arrays, meta: Meta) -> None:
        with with_filename(self._out / name):
            write_archive(self._out / name, arrays, meta)

    def _truncate_to_checkpoint(self, meta: Meta) -> None:
        """Remove what was written after the checkpoint."""
        sizes = meta.get("lengths_bytes", {})
        if METRICS not in sizes:
            # A checkpoint of an earlier version has no metrics.
            (self._out / METRICS).unlink(missing_ok=True)
        if not sizes:
            # One of a still earlier version has no sizes.
            truncate_losses(self._out / LOSSES, self._trainer.updates)
        else:
            for name, size_bytes in sizes.items():
                truncate(self._out / name, size_bytes)
        with contextlib.suppress(FileNotFoundError):
            written = (self._out / SAMPLES).read_text(encoding="utf-8")
            seen = find_words(written, self._watch_words)
            self._watch_words = [word for word in self._watch_words if word not in seen]

    # -- display ----------------------------------------------------------------------------------

    def _progress_bar(self) -> Progress:
        return Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
