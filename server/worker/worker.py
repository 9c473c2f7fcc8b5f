"""The training of one run, in a worker process: ``python -m server.worker``.

The worker carries out commands between updates, and reports at most 20 times a second. Sending
never blocks it, because a thread of the channel does the writing. The commands and the report are
in `server.worker.messages`.
"""

from __future__ import annotations

import logging
import math
import secrets
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, assert_never

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
from server.checkpoints.unflushed import HistoryDelta, read_delta
from server.concurrency.json_lines import JsonLineChannel, Message, finite
from server.concurrency.typed_messages import UnknownMessageError
from server.files.disk_errors import as_storage_error
from server.files.failpoints import failpoint
from server.rnn.model import Model
from server.rnn.training.divergence import divergence_notice
from server.rnn.training.trainer import Measure, Trainer
from server.rnn.vocabulary import Vocabulary
from server.spec.sample_schedule import next_sample
from server.worker.messages import (
    ApplyChange,
    Change,
    ExportCheckpoint,
    ExportModel,
    HistoryFlushed,
    Pause,
    Resume,
    SamplesMeasured,
    SaveCheckpoint,
    Shutdown,
    Start,
    Step,
    StepReply,
    WorkerCommand,
    parse_command,
)
from server.worker.pacer import Pacer
from server.worker.reporter import REPORT_EVERY_S, Reporter

__all__ = ["Worker"]

log = logging.getLogger(__name__)

SLICE_S = 0.1
"""How long a sample is written before the next command is looked for."""
LAST_SAMPLE_S = 2.0
"""How long a run that is stopped waits for its last sample."""

READ_ONLY_COMMANDS = (ExportCheckpoint, ExportModel)
"""Commands that change nothing, and so need no report: many viewers may cause them."""


class CommandRefusedError(Exception):
    """A command cannot be carried out; the message says why."""


class Worker:
    """One run's training.

    Parameters
    ----------
    channel : JsonLineChannel
        To the server.
    start : Start
        The run.
    """

    def __init__(self, channel: JsonLineChannel, start: Start) -> None:
        self.channel = channel
        self.spec: dict[str, Any] = start.spec
        self.directory = Path(start.directory)
        self.snapshots = Snapshots.of_checkpoints(self.directory)
        text = Path(start.corpus_path).read_bytes().decode()
        self.vocabulary = Vocabulary.from_text(text)
        self.trainer: Trainer = new_trainer(
            self.vocabulary.encode(text), self.vocabulary, self.spec
        )
        self.checkpointed_at = -1
        # A sample that is being written, in steps between which commands are carried out. No
        # update is made before its end.
        self.sampling: Iterator[None] | None = None
        # The update of the last sample that is written.
        self.sampled_at = -1
        restored: HistoryDelta | None = None
        differences: list[str] = []
        if start.checkpoint is not None:
            restored, differences = self._restore(Path(start.checkpoint))
        self.snapshots.rewind(self.trainer.updates)
        self.reporter = Reporter(channel, self.trainer, restored)
        for text in differences:
            self.reporter.add_notice(text)
        self.pacer = Pacer(self.spec["pace"])
        self.training = start.training
        self.runaway = False
        # Why the last snapshot could not be written. It is written before training continues.
        self.snapshot_error: OSError | None = None
        self.steps_left = 0
        # The number of the `Step` command that is not answered yet.
        self.step_number: int | None = None
        self.shutting_down = False
        self.fast_forwarding = False
        # Whether no update may be made, because the server stores a change of the spec.
        self.change_pending = False
        self.next_sample = next_sample(self.trainer.updates, self.spec["sample_every"])
        if self.sampled_at == self.trainer.updates:
            self._write_missing_snapshot()
        elif self._is_scheduled or self.finished:
            self._begin_sample()

    def _restore(self, path: Path) -> tuple[HistoryDelta, list[str]]:
        """Restore the trainer from a checkpoint; return the history in it, and what differs now."""
        arrays, meta = read_archive(path)
        restore_trainer(self.trainer, self.vocabulary, arrays, meta)
        if self.spec["learning_rate"] != meta["spec"]["learning_rate"]:
            self.trainer.learning_rate = self.spec["learning_rate"]
        self.checkpointed_at = self.trainer.updates
        # A checkpoint of an earlier version has every scheduled sample, and no other.
        if meta.get("sampled", self._is_scheduled):
            self.sampled_at = self.trainer.updates
        return read_delta(arrays, meta), describe_differences(self.trainer, meta)

    # -- the loop ---------------------------------------------------------------------------------

    def run(self) -> None:
        """Train and carry out commands until told to shut down, or until the server is gone."""
        channel, pacer, trainer = self.channel, self.pacer, self.trainer
        while not self.shutting_down:
            if channel.inbox:
                self.dispatch(channel.inbox.popleft())
            elif channel.server_gone:
                self._save_final_checkpoint()
                return
            elif self.sampling is not None:
                self._continue_sample()
                self._report_progress()
            elif not self.busy or self.change_pending:
                self.reporter.idle()
                channel.wait()
            elif self.reporter.backlog_is_full:
                self._report_if_due()
                channel.wait(REPORT_EVERY_S)
            elif self.training and (delay_s := pacer.delay_s(trainer.updates)) > 0.0:
                self._report_if_due()
                channel.wait(min(delay_s, REPORT_EVERY_S))
            else:
                self._update()

    def fast_forward(self, update: int) -> None:
        """Train up to an update that an earlier worker had made and that no checkpoint contains.

        Nothing is reported before its end, so that the run never seems to be at an earlier update.
        """
        self.fast_forwarding = True
        self.steps_left = max(0, update - self.trainer.updates)
        while self.steps_left and self.busy:
            if self.sampling is None:
                self._update()
            else:
                self._continue_sample()
        self.steps_left = 0
        self.fast_forwarding = False

    @property
    def busy(self) -> bool:
        """Whether there is an update to make."""
        wanted = self.training or self.steps_left > 0
        return wanted and not self.finished and not self.runaway and self.snapshot_error is None

    @property
    def finished(self) -> bool:
        """Whether all updates of the spec are made."""
        last = self.spec["max_updates"]
        return last is not None and self.trainer.updates >= last

    @property
    def state(self) -> str:
        """The run's state as far as the worker knows it."""
        if self.finished and self.sampling is None:
            return "finished"
        return "running" if self.training else "paused"

    def _update(self) -> None:
        trainer = self.trainer
        epoch, diverged = trainer.epoch, trainer.diverged_since
        self.reporter.begin_update()
        loss = trainer.update()
        self.reporter.end_update(loss)
        if not math.isfinite(loss):
            # The network is of no more use.
            self.training, self.runaway = False, True
        elif diverged is None and trainer.diverged_since is not None:
            self.reporter.add_notice(divergence_notice(trainer.diverged_since))
        if trainer.epoch != epoch:
            self.reporter.add_epoch()
        if trainer.updates == self.next_sample:
            self.next_sample = next_sample(trainer.updates, self.spec["sample_every"])
            self._begin_sample()
        elif self.finished:
            self._begin_sample()
        if self.steps_left:
            self.steps_left -= 1
        self._report_progress()

    def _report_progress(self) -> None:
        """Report if it is time, or if there is nothing more to do."""
        if self.fast_forwarding:
            return
        if self.busy or self.sampling is not None:
            self._report_if_due()
        else:
            self._stop_training_if_finished()
            self.report()
            self._end_step()

    def _stop_training_if_finished(self) -> None:
        # With a greater max_updates the run could continue, but only `Resume` makes it do so.
        if self.finished and self.sampling is None:
            self.training = False

    # -- samples and snapshots --------------------------------------------------------------------

    @property
    def _is_scheduled(self) -> bool:
        """Whether the schedule has a sample at this update."""
        update = self.trainer.updates
        return update == 0 or next_sample(update - 1, self.spec["sample_every"]) == update

    @property
    def _is_last(self) -> bool:
        """Whether a sample at this update is the last one, unless the run continues later.

        Samples outside the schedule are written only at the end of a run.
        """
        return self.finished or not self._is_scheduled

    def _begin_sample(self, limit_s: float = SLICE_S) -> None:
        """Write a sample, or begin to: after about `limit_s` it is left to be continued."""
        if self.runaway:
            return
        self.sampling = self._sample_steps()
        self._continue_sample(limit_s)

    def _continue_sample(self, limit_s: float = SLICE_S) -> None:
        """Go on with the sample for about `limit_s`; `sampling` is None when it is written."""
        end_s = time.monotonic() + limit_s
        for _ in self.sampling or ():
            if time.monotonic() >= end_s:
                return
        self.sampling = None

    def _sample_steps(self) -> Iterator[None]:
        trainer, validation = self.trainer, None
        if trainer.validation_is_due(self.spec["sample_every"], last=self._is_last):
            validation = yield from trainer.validation_steps()
        self.sampled_at = trainer.updates
        self.reporter.add_sample(
            {
                "update": trainer.updates,
                "epoch": trainer.epoch,
                "smooth_loss": finite(trainer.smooth_loss),
                "validation_loss": finite(validation),
                "text": self.vocabulary.decode(trainer.sample(self.spec["sample_length"])),
            }
        )
        self._write_snapshot()

    def _write_snapshot(self) -> None:
        """Write a snapshot of the network, if one is due.

        If it cannot be written, training stops, and the error is in `snapshot_error`.
        """
        update, every = self.trainer.updates, self.spec["sample_every"]
        self.snapshot_error = None
        if self._is_last or self.snapshots.is_due(update, every):
            failpoint("snapshot.take")
            try:
                self._write_model(self.trainer.current_model(), self.snapshots.path(update))
                failpoint("snapshot.taken")
                self.snapshots.thin(update, every)
            except OSError as error:
                self.training, self.snapshot_error = False, error

    def _write_missing_snapshot(self) -> None:
        """Write the snapshot of this update if it could not be written, or a power cut lost it."""
        try:
            missing = not self.snapshots.is_valid(self.trainer.updates)
        except OSError:
            missing = True  # Writing it again does no harm.
        if missing:
            self._write_snapshot()

    def _retry_snapshot(self) -> None:
        if self.snapshot_error is not None:
            self._write_snapshot()
        if self.snapshot_error is not None:
            raise self.snapshot_error

    @property
    def _storage_error(self) -> str | None:
        """Why a snapshot could not be written, in a sentence."""
        error = self.snapshot_error
        if error is None:
            return None
        return str(as_storage_error(error) or f"{error.strerror or type(error).__name__}.")

    # -- reports ----------------------------------------------------------------------------------

    def _report_if_due(self) -> None:
        if self.reporter.is_due():
            self.report()

    def report(self) -> None:
        """Report everything that happened since the last report."""
        self.reporter.report(
            busy=self.busy,
            state=self.state,
            runaway=self.runaway,
            storage_error=self._storage_error,
        )

    # -- commands ---------------------------------------------------------------------------------

    def dispatch(self, message: Message) -> None:
        """Carry out one command; reply to it after a report of everything up to here.

        A read-only command causes no report, so that reports never come more than 20 times a second
        however many viewers there are.
        """
        number, command = message.get("id"), None
        try:
            command = parse_command(message)
            reply = self._carry_out(command, number)
        except (CommandRefusedError, UnknownMessageError) as error:
            reply = {"refused": str(error)}
        except OSError as error:
            # Its text would name a path of the server.
            reason = error.strerror or type(error).__name__
            reply = {"refused": reason, "errno": error.errno}
        self._stop_training_if_finished()
        if number is not None and reply is not None:
            if not isinstance(command, READ_ONLY_COMMANDS):
                self.report()
            self.channel.send_reply(number, {"update": self.trainer.updates, **reply})
        elif reply is not None and "refused" in reply:
            log.error("a command was refused: %s", reply["refused"])

    def _carry_out(  # noqa: C901, PLR0911, PLR0912 - one case a command
        self, command: WorkerCommand, number: int | None
    ) -> Message | None:
        """Carry out a command; return the content of its reply, None to send none now."""
        match command:
            case Pause():
                return self._pause(command)
            case Resume():
                return self._resume()
            case Step():
                self._step(command, number)
            case Change():
                return self._check_change(command)
            case ApplyChange():
                return self._apply_change(command.changes)
            case SaveCheckpoint():
                return self._save_checkpoint(command)
            case ExportCheckpoint():
                return self._export_checkpoint(command)
            case ExportModel():
                return self._export_model(command)
            case HistoryFlushed():
                self.reporter.confirm_flushed(command.update)
            case SamplesMeasured():
                self.reporter.confirm_measured(command.update)
            case Shutdown():
                self.shutting_down = True
            case Start():
                raise CommandRefusedError("the worker has started already")
            case _:
                assert_never(command)
        return None

    def _pause(self, command: Pause) -> Message:
        self.training = False
        if command.last and self.sampling is not None:
            self._continue_sample(LAST_SAMPLE_S)
        elif command.last and self.sampled_at != self.trainer.updates and self._is_sound:
            self._begin_sample(LAST_SAMPLE_S)
        self._end_step()
        return {}

    def _resume(self) -> Message:
        self._retry_snapshot()
        self._end_step()
        self.training = True
        self.reporter.reset_rate()
        return {}

    def _step(self, command: Step, number: int | None) -> None:
        if self.training:
            raise CommandRefusedError("only a paused run can be stepped")
        if self.step_number is not None:
            raise CommandRefusedError("the run is being stepped already")
        self._retry_snapshot()
        self.steps_left, self.step_number = command.updates, number
        if not self.busy:
            self._end_step()

    def _end_step(self) -> None:
        """Reply to the `Step` command, if there is one."""
        number, self.step_number = self.step_number, None
        left, self.steps_left = self.steps_left, 0
        if number is not None:
            if self.reporter.has_changes:
                self.report()
            reply = StepReply(
                update=self.trainer.updates, left=left, storage_error=self._storage_error
            )
            self.channel.send_reply(number, asdict(reply))

    def _check_change(self, command: Change) -> Message:
        last = command.changes.get("max_updates")
        if last is not None and last < self.trainer.updates:
            raise CommandRefusedError(f"{self.trainer.updates:,} updates have already been made")
        self.change_pending = True
        return {}

    def _apply_change(self, changes: dict[str, Any]) -> Message:
        self.change_pending = False
        self.spec |= changes
        if "learning_rate" in changes:
            self.trainer.learning_rate = changes["learning_rate"]
        if "pace" in changes:
            self.pacer.set_pace(changes["pace"])
            self.reporter.reset_rate()
        if "sample_every" in changes:
            self.next_sample = next_sample(self.trainer.updates, changes["sample_every"])
        if self.finished and self.sampling is None and self.sampled_at != self.trainer.updates:
            self._begin_sample()
        return {}

    def _save_checkpoint(self, command: SaveCheckpoint) -> Message:
        if not self._is_sound:
            # The loss will show it at the next update; nothing may go back to such a network.
            raise CommandRefusedError("the network contains numbers that are not finite")
        self._write_checkpoint(Path(command.path), command.about)
        self.checkpointed_at = self.trainer.updates
        return {}

    def _export_checkpoint(self, command: ExportCheckpoint) -> Message:
        self._write_checkpoint(Path(command.path), {}, durable=False)
        return {}

    def _export_model(self, command: ExportModel) -> Message:
        measures: dict[str, Measure] = {"best": "smooth_loss", "best_validation": "validation"}
        measure = measures.get(command.which)
        best = self.trainer.best_model(measure) if measure else None
        self._write_model(best or self.trainer.current_model(), Path(command.path))
        return {}

    # -- files ------------------------------------------------------------------------------------

    @property
    def _is_sound(self) -> bool:
        return bool(np.isfinite(self.trainer.parameters.flat).all())

    def _write_model(self, model: Model, path: Path) -> None:
        write_archive(path, *model_contents(model, self.vocabulary, self.spec), durable=False)

    def _write_checkpoint(self, path: Path, about: Message, *, durable: bool = True) -> None:
        if self.sampling is not None and self.trainer.position == 0 < self.trainer.updates:
            # The state before the epoch, from which the validation starts, is in no checkpoint.
            self._continue_sample(math.inf)
        arrays, meta = checkpoint_contents(self.trainer, self.vocabulary, self.spec)
        meta["sampled"] = self.sampled_at == self.trainer.updates
        more_arrays, more_meta = self.reporter.unflushed_contents()
        meta |= {"about": about, **more_meta}
        write_archive(path, arrays | more_arrays, meta, durable=durable)

    def _save_final_checkpoint(self) -> None:
        """Write a checkpoint of what was learned since the last one, because the server is gone."""
        if self.trainer.updates > self.checkpointed_at and not self.runaway and self._is_sound:
            identity = secrets.token_hex(6)
            about = {"id": identity, "note": "saved when the server ended", "automatic": True}
            self._write_checkpoint(self.directory / f"{identity}.npz", about)
