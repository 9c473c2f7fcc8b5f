"""`python -m server train`: a training without a browser, by the same code."""

from __future__ import annotations

import contextlib
import hashlib
import math
import time
from collections.abc import Set as AbstractSet
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
from server.commands.console import Terminal
from server.commands.output_directory import (
    BEST,
    CHECKPOINT,
    LOSSES,
    LOSSES_HEADER,
    SAMPLES,
    AppendOnlyFile,
    alone_in,
    cut,
    cut_losses,
    naming,
    new_folder,
)
from server.commands.resume import ResumeState, TrainingError, read_kept
from server.corpora.proper_names import find_names, find_words
from server.files.failpoints import failpoint
from server.rnn.training.trainer import StateError, Trainer
from server.rnn.vocabulary import Vocabulary
from server.spec.run_spec import RunSpec, describe_changes
from server.spec.sample_schedule import next_sample

__all__ = ["Training", "train"]

SHOW_EVERY_S = 0.1


def train(
    text: str,
    asked: RunSpec,
    given: AbstractSet[str],
    out: Path,
    *,
    resume: bool,
    terminal: Terminal,
) -> Training:
    """Train until all updates are made or it is told to end, and return the training.

    What it leaves in the folder: the state to go on from, the best model, every update's loss, and
    the samples.

    Parameters
    ----------
    text : str
        What is learnt.
    asked : RunSpec
        How.
    given : set of str
        The fields of it that were asked for by name: going on, all others are the checkpoint's.
    out : pathlib.Path
        Folder of the results, made when it is not there.
    resume : bool
        Whether to go on from what the folder holds.
    terminal : Terminal
        Where progress is shown, and what ends it.

    Raises
    ------
    TrainingError
        There is nothing to go on from, or it does not fit; or the folder holds another training;
        or the loss was not a finite number.
    SpecError
        The checkpoint can't go on with what was given.
    """
    with contextlib.ExitStack() as held:
        if resume:
            held.enter_context(alone_in(out))
            kept = read_kept(out / CHECKPOINT)
            training = Training(text, kept.spec_with(asked, given), out, terminal)
            training.go_back(kept)
        else:
            # Before there is a folder: of a text that is too short, none shall be left.
            training = Training(text, asked, out, terminal)
            held.enter_context(new_folder(out))
        failpoint("train.begin")
        training.run()
    return training


class Training:
    """One training, its folder and what it prints; nothing is written before it runs.

    The parameters are those of `train`, but for the spec, which is the one to go by.
    """

    def __init__(self, text: str, spec: RunSpec, out: Path, terminal: Terminal) -> None:
        self._spec: dict[str, Any] = spec.model_dump(mode="json")
        self._out = out
        self._terminal = terminal
        self._console = terminal.console
        self._text_sha256 = hashlib.sha256(text.encode()).hexdigest()
        self._vocabulary = Vocabulary.from_text(text)
        indices = self._vocabulary.encode(text)
        self._trainer: Trainer = new_trainer(indices, self._vocabulary, self._spec)
        watched = spec.watch_words
        self._watched = find_names(text) if watched is None else watched
        self._kept: ResumeState | None = None

    @property
    def made_nothing(self) -> bool:
        """Whether all updates had been made before it began."""
        return (
            self._kept is not None
            and self._trainer.updates == self._kept.meta["trainer"]["updates"]
        )

    @property
    def trainer(self) -> Trainer:
        """The trainer, at the update that was reached."""
        return self._trainer

    def go_back(self, kept: ResumeState) -> None:
        """Stand where a checkpoint does.

        Raises
        ------
        TrainingError
            It is of another text, or of another network.
        """
        meta = kept.meta
        # Of the text and not of its file: another encoding of the same text is no other text. An
        # earlier version did not say, and then the alphabet alone tells.
        if meta.get("text_sha256", self._text_sha256) != self._text_sha256:
            raise kept.unfit("the checkpoint was made with another text")
        try:
            restore_trainer(self._trainer, self._vocabulary, kept.arrays, meta)
        except (DamagedArchiveError, StateError) as error:
            raise kept.unfit(error) from error
        # The one in force may have decayed from it.
        if self._spec["learning_rate"] != kept.spec.learning_rate:
            self._trainer.learning_rate = self._spec["learning_rate"]
        self._kept = kept
        before = kept.spec.model_dump(mode="json")
        changes = {name: value for name, value in self._spec.items() if value != before[name]}
        if changes:
            self._say(f"From here on: {describe_changes(kept.spec, changes)}.")
        for sentence in describe_differences(self._trainer, meta):
            self._say(sentence)

    def run(self) -> None:
        """Train until all updates are made or it is told to end; leave everything in the folder.

        Raises
        ------
        TrainingError
            The loss was not a finite number.
        """
        for unfinished in self._out.glob(".*.npz.*.tmp"):
            unfinished.unlink(missing_ok=True)
        if self._kept is not None:
            self._cut_back(self._kept.meta)
        self._sample_at = next_sample(self._trainer.updates, self._spec["sample_every"])
        # What a training left that was killed before its first checkpoint is of no use.
        afresh = self._trainer.updates == 0
        with (
            self._progress() as progress,
            AppendOnlyFile(self._out / LOSSES, afresh=afresh) as losses,
            AppendOnlyFile(self._out / SAMPLES, afresh=afresh) as samples,
        ):
            if afresh:
                losses.write(LOSSES_HEADER)
                self._write_sample(samples)
            self._train(progress, losses, samples)
            self._keep(losses, samples)

    # -- training ---------------------------------------------------------------------------------

    def _train(self, progress: Progress, losses: AppendOnlyFile, samples: AppendOnlyFile) -> None:
        trainer, last = self._trainer, self._spec["max_updates"]
        task = progress.add_task("", total=last, completed=trainer.updates, loss="", speed="")
        show_at_s = keep_at_s = then_s = time.monotonic()
        keep_at_s += self._spec["checkpoint_every_s"]
        then = trainer.updates
        while not self._terminal.is_over and (last is None or trainer.updates < last):
            epoch, position = trainer.epoch, trainer.position
            loss = trainer.update()
            losses.write(f"{trainer.updates},{epoch},{position},{loss!r},{trainer.smooth_loss!r}\n")
            if not math.isfinite(loss):
                raise TrainingError(
                    f"The loss was not a finite number at update {trainer.updates:,}: try a lower"
                    " learning rate, or go on from the last checkpoint with --resume."
                )
            if trainer.updates == self._sample_at:
                self._write_sample(samples)
                self._sample_at = next_sample(trainer.updates, self._spec["sample_every"])
            now_s = time.monotonic()
            if now_s >= show_at_s:
                speed = (trainer.updates - then) / max(now_s - then_s, 1e-9)
                progress.update(
                    task,
                    completed=trainer.updates,
                    loss=f"smooth loss {trainer.smooth_loss:.2f}",
                    speed=f"{speed:,.0f}/s",
                )
                show_at_s = now_s + SHOW_EVERY_S
            if now_s >= keep_at_s:
                self._keep(losses, samples)
                keep_at_s = now_s + self._spec["checkpoint_every_s"]
        progress.update(task, completed=trainer.updates)

    def _say(self, sentence: str) -> None:
        self._console.print(sentence, markup=False, highlight=False)

    def _write_sample(self, samples: AppendOnlyFile) -> None:
        trainer = self._trainer
        text = self._vocabulary.decode(trainer.sample(self._spec["sample_length"]))
        heading = f"update {trainer.updates:,}"
        if trainer.smooth_loss is not None:
            heading += f", smooth loss {trainer.smooth_loss:.2f}"
        if self._spec["validation_fraction"]:
            heading += f", validation loss {trainer.validate():.2f}"
        samples.write(f"--- {heading}\n{text}\n\n")
        self._console.rule(heading, style="dim")
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)
        for word in find_words(text, self._watched):
            self._watched = [watched for watched in self._watched if watched != word]
            self._console.print(f"hurrah - {word}!", style="bold", markup=False)

    # -- what is kept -----------------------------------------------------------------------------

    def _keep(self, losses: AppendOnlyFile, samples: AppendOnlyFile) -> None:
        """Make the folder hold where the training stands."""
        # These first: going on cuts them back to the checkpoint, but can't invent them.
        lengths = {LOSSES: losses.made_durable(), SAMPLES: samples.made_durable()}
        arrays, meta = checkpoint_contents(self._trainer, self._vocabulary, self._spec)
        meta |= {"lengths_bytes": lengths, "text_sha256": self._text_sha256}
        self._keep_archive(CHECKPOINT, arrays, meta)
        if (best := self._trainer.best_model()) is not None:
            self._keep_archive(BEST, *model_contents(best, self._vocabulary, self._spec))

    def _keep_archive(self, name: str, arrays: Arrays, meta: Meta) -> None:
        with naming(self._out / name):
            write_archive(self._out / name, arrays, meta)

    def _cut_back(self, meta: Meta) -> None:
        """Forget what was written after the checkpoint."""
        if (lengths := meta.get("lengths_bytes")) is None:
            # An earlier version did not say.
            cut_losses(self._out / LOSSES, self._trainer.updates)
        else:
            for name, length in lengths.items():
                cut(self._out / name, length)
        with contextlib.suppress(FileNotFoundError):
            written = (self._out / SAMPLES).read_text(encoding="utf-8")
            seen = find_words(written, self._watched)
            self._watched = [word for word in self._watched if word not in seen]

    # -- the terminal -----------------------------------------------------------------------------

    def _progress(self) -> Progress:
        return Progress(
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[loss]}"),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            console=self._console,
        )
