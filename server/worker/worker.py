"""The process that trains one run: `python -m server.worker`.

It takes commands between updates and reports what happened at most 20 times a second. Nobody who
looks on can slow it: what it says is put on a line that a thread of its own empties.

Commands (`do`): first `start`; then `pause`, `resume`, `step`, `change`, `checkpoint`, `export`,
`model`, `flushed`, `measured`, `leave`. All but the last three are answered. Events: `report`.
"""

from __future__ import annotations

import math
import secrets
from pathlib import Path
from typing import Any

import numpy as np

from server.checkpoints.checkpoint_format import (
    checkpoint_contents,
    describe_differences,
    model_contents,
    new_trainer,
    restore_trainer,
)
from server.checkpoints.npz import read_archive, write_archive
from server.checkpoints.snapshots import Snapshots
from server.concurrency.json_lines import JsonLineChannel, Message, finite
from server.files.disk_errors import as_storage_error
from server.files.failpoints import failpoint
from server.rnn.model import Model
from server.rnn.training.trainer import Measure, Trainer
from server.rnn.vocabulary import Vocabulary
from server.spec.sample_schedule import next_sample
from server.worker.pacer import Pacer
from server.worker.reporter import REPORT_EVERY_S, Reporter

LOOKS = {"export", "model"}


class Refusal(Exception):  # noqa: N818 - an answer, not a fault
    """A command can't be carried out; the message says why."""


class Worker:
    """One run's training, and what it says about it."""

    def __init__(self, line: JsonLineChannel, start: Message) -> None:
        self.line = line
        self.spec: dict[str, Any] = start["spec"]
        self.folder = Path(start["folder"])
        self.snapshots = Snapshots.beside(self.folder)
        text = Path(start["corpus_path"]).read_bytes().decode()
        self.vocabulary = Vocabulary.from_text(text)
        self.trainer: Trainer = new_trainer(
            self.vocabulary.encode(text), self.vocabulary, self.spec
        )
        self.checkpointed_at = -1
        # What is to be said of the run once.
        self.notices: list[str] = []
        seconds = 0.0
        if start["checkpoint"] is not None:
            seconds = self._restore(Path(start["checkpoint"]))
        self.snapshots.rewind(self.trainer.updates)
        self.reporter = Reporter(line, self.trainer, seconds)
        self.pacer = Pacer(self.spec["pace"])
        self.training = bool(start["training"])
        self.runaway = False
        # Why a snapshot could not be written, which is tried again before it goes on.
        self.short: OSError | None = None
        if start["checkpoint"] is None:
            self._write_sample()
        else:
            self._mend_snapshots()
        self.steps_left = 0
        self.step_answer: int | None = None
        self.leaving = False
        self.next_sample = next_sample(self.trainer.updates, self.spec["sample_every"])

    def _restore(self, path: Path) -> float:
        """Stand where a checkpoint stands; return how many seconds of training led there."""
        arrays, meta = read_archive(path)
        restore_trainer(self.trainer, self.vocabulary, arrays, meta)
        if self.spec["learning_rate"] != meta["spec"]["learning_rate"]:
            self.trainer.learning_rate = self.spec["learning_rate"]
        self.checkpointed_at = self.trainer.updates
        self.notices = describe_differences(self.trainer, meta)
        return float(meta.get("unflushed", {}).get("seconds", 0.0))

    # -- the loop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Train and obey until told to leave, or until the server is gone."""
        line, pacer, trainer = self.line, self.pacer, self.trainer
        while not self.leaving:
            if line.inbox:
                self.obey(line.inbox.popleft())
            elif line.server_gone:
                self._leave_a_checkpoint()
                return
            elif not self.busy:
                self.reporter.stands_still()
                line.wait()
            elif self.reporter.is_behind:
                self._report_if_due()
                line.wait(REPORT_EVERY_S)
            elif self.training and (delay_s := pacer.delay_s(trainer.updates)) > 0.0:
                self._report_if_due()
                line.wait(min(delay_s, REPORT_EVERY_S))
            else:
                self._update()

    def come_to(self, update: int) -> None:
        """Make the updates up to one that the run stood at, which went with an earlier worker."""
        self.steps_left = max(0, update - self.trainer.updates)
        while self.steps_left and self.busy:
            self._update()
        self.steps_left = 0

    @property
    def busy(self) -> bool:
        """Whether there is an update to make."""
        wanted = self.training or self.steps_left > 0
        return wanted and not self.finished and not self.runaway and self.short is None

    @property
    def finished(self) -> bool:
        """Whether all the updates asked for are made."""
        last = self.spec["max_updates"]
        return last is not None and self.trainer.updates >= last

    @property
    def state(self) -> str:
        """The run's state as far as the worker knows it."""
        if self.finished:
            return "finished"
        return "running" if self.training else "paused"

    def _update(self) -> None:
        trainer = self.trainer
        epoch = trainer.epoch
        self.reporter.updating()
        loss = trainer.update()
        self.reporter.updated(loss)
        if not math.isfinite(loss):
            # What is in the network now is of no use to anybody.
            self.training, self.runaway = False, True
        if trainer.epoch != epoch:
            self.reporter.epoch_began()
        if trainer.updates == self.next_sample:
            self._write_sample()
            self.next_sample = next_sample(trainer.updates, self.spec["sample_every"])
        if self.steps_left:
            self.steps_left -= 1
        if self.busy:
            self._report_if_due()
        else:
            self._rest_when_finished()
            self.report()
            self._end_step()

    def _rest_when_finished(self) -> None:
        # Raising max_updates makes it possible to go on; that it does is for "resume" to say.
        if self.finished:
            self.training = False

    def _write_sample(self) -> None:
        trainer = self.trainer
        validation = trainer.validate() if self.spec["validation_fraction"] else None
        self.reporter.wrote(
            {
                "update": trainer.updates,
                "epoch": trainer.epoch,
                "smooth_loss": finite(trainer.smooth_loss),
                "validation_loss": finite(validation),
                "text": self.vocabulary.decode(trainer.sample(self.spec["sample_length"])),
            }
        )
        self._take_snapshot()

    def _take_snapshot(self) -> None:
        """Keep the network as it stands, if a snapshot is due; without room, stand still.

        Raises nothing: what went wrong is in `short`, and is tried again before it goes on.
        """
        update, every = self.trainer.updates, self.spec["sample_every"]
        self.short = None
        if self.snapshots.is_due(update, every):
            failpoint("snapshot.take")
            try:
                self._write_model(self.trainer.current_model(), self.snapshots.path(update))
                failpoint("snapshot.taken")
                self.snapshots.thin(update, every)
            except OSError as error:
                self.training, self.short = False, error

    def _mend_snapshots(self) -> None:
        """Take the snapshot that could not be written, or did not outlive a power cut."""
        update = self.trainer.updates
        sampled = update == 0 or next_sample(update - 1, self.spec["sample_every"]) == update
        try:
            missing = sampled and not self.snapshots.holds(update)
        except OSError:
            missing = True  # It stands there: nothing is lost by writing it anew.
        if missing:
            self._take_snapshot()

    @property
    def _shortage(self) -> str | None:
        """Why it stands still, in a sentence; None when it need not."""
        error = self.short
        return None if error is None else str(as_storage_error(error) or f"{error}.")

    def _take_what_is_missing(self) -> None:
        if self.short is not None:
            self._take_snapshot()
        if self.short is not None:
            raise self.short

    # -- what it says -----------------------------------------------------------------------------

    def _report_if_due(self) -> None:
        if self.reporter.is_due():
            self.report()

    def report(self) -> None:
        """Say everything that happened since the last report."""
        notices, self.notices = self.notices, []
        self.reporter.report(
            busy=self.busy,
            state=self.state,
            runaway=self.runaway,
            short=self._shortage,
            notices=notices,
        )

    # -- what it is told --------------------------------------------------------------------------

    def obey(self, command: Message) -> None:
        """Carry out one command and answer it, after a report of everything up to here.

        After no report where it only looks: however many look, reports come 20 times a second.
        """
        number = command.get("id")
        try:
            answer = getattr(self, f"_do_{command['do']}")(command)
        except Refusal as error:
            answer = {"refused": str(error)}
        except OSError as error:
            answer = {"refused": str(error), "errno": error.errno}
        self._rest_when_finished()
        if number is not None and answer is not None:
            if command["do"] not in LOOKS:
                self.report()
            self.line.send({"answer": number, "update": self.trainer.updates, **answer})

    def _do_pause(self, _command: Message) -> Message:
        self.training = False
        self._end_step()
        return {}

    def _do_resume(self, _command: Message) -> Message:
        self._take_what_is_missing()
        self._end_step()
        self.training = True
        self.reporter.rested()
        return {}

    def _do_step(self, command: Message) -> Message | None:
        if self.training:
            raise Refusal("only a paused run can be stepped")
        if self.steps_left:
            raise Refusal("the run is being stepped already")
        self._take_what_is_missing()
        self.steps_left, self.step_answer = command["updates"], command["id"]
        if not self.busy:
            self._end_step()
        return None

    def _end_step(self) -> None:
        number, self.step_answer = self.step_answer, None
        left, self.steps_left = self.steps_left, 0
        if number is not None:
            if self.reporter.has_news:
                self.report()
            answer = {"answer": number, "update": self.trainer.updates}
            self.line.send({**answer, "left": left, "short": self._shortage})

    def _do_change(self, command: Message) -> Message:
        changes = command["changes"]
        last = changes.get("max_updates")
        if last is not None and last < self.trainer.updates:
            raise Refusal(f"{self.trainer.updates:,} updates are made already")
        self.spec |= changes
        if "learning_rate" in changes:
            self.trainer.learning_rate = changes["learning_rate"]
        if "pace" in changes:
            self.pacer.set_pace(changes["pace"])
            self.reporter.rested()
        if "sample_every" in changes:
            self.next_sample = next_sample(self.trainer.updates, changes["sample_every"])
        return {}

    def _do_checkpoint(self, command: Message) -> Message:
        if not self._is_sound:
            # The loss will show it at the next update; what can't go on must not be gone back to.
            raise Refusal("the network holds numbers that are not finite")
        self._checkpoint(Path(command["path"]), command["about"])
        self.checkpointed_at = self.trainer.updates
        return {}

    def _do_export(self, command: Message) -> Message:
        """Write the same as a checkpoint for somebody to take away; nobody goes on from it."""
        self._checkpoint(Path(command["path"]), {}, durable=False)
        return {}

    def _do_model(self, command: Message) -> Message:
        """Hand out the parameters alone, so that somebody else can write with them."""
        measures: dict[str, Measure] = {"best": "smooth_loss", "best_validation": "validation"}
        measure = measures.get(command["which"])
        best = self.trainer.best_model(measure) if measure else None
        self._write_model(best or self.trainer.current_model(), Path(command["path"]))
        return {}

    def _write_model(self, model: Model, path: Path) -> None:
        write_archive(path, *model_contents(model, self.vocabulary, self.spec), durable=False)

    def _do_flushed(self, command: Message) -> None:
        """The server has stored the history up to here: no checkpoint need carry it any more."""
        self.reporter.flushed(command["update"])

    def _do_measured(self, command: Message) -> None:
        """The server has measured the samples up to here, and takes more."""
        self.reporter.measured(command["update"])

    def _do_leave(self, _command: Message) -> None:
        self.leaving = True

    # -- what it leaves ---------------------------------------------------------------------------

    @property
    def _is_sound(self) -> bool:
        return bool(np.isfinite(self.trainer.parameters.flat).all())

    def _checkpoint(self, path: Path, about: Message, *, durable: bool = True) -> None:
        arrays, meta = checkpoint_contents(self.trainer, self.vocabulary, self.spec)
        more_arrays, more_meta = self.reporter.carried()
        meta |= {"about": about, **more_meta}
        write_archive(path, arrays | more_arrays, meta, durable=durable)

    def _leave_a_checkpoint(self) -> None:
        """The server is gone, however it went: what was learnt since must not be."""
        if self.trainer.updates > self.checkpointed_at and not self.runaway and self._is_sound:
            identity = secrets.token_hex(6)
            about = {"id": identity, "note": "made when the server was lost", "automatic": True}
            self._checkpoint(self.folder / f"{identity}.npz", about)
