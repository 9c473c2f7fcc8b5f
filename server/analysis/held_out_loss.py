"""The loss of a run's best model on the test part, which is measured on request."""

from __future__ import annotations

from typing import Any

from server.checkpoints.checkpoint_format import Which
from server.concurrency.admission import AdmissionLimiter
from server.concurrency.background_tasks import run_to_end
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.inference.messages import MeasureTestPart
from server.rnn.training.trainer import Measure
from server.runs.downloads import temporary_file
from server.runs.run_controller import RunController
from server.spec.schemas import LossOnTest, Run

__all__ = ["HeldOutLossService"]


class HeldOutLossService:
    """Measures test parts, one after the other.

    A test part is for one measurement. Whoever trains, measures and chooses again has fitted the
    choice to it. So a second measurement must be asked for as such, and their number is stored.

    Parameters
    ----------
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, waiting: int) -> None:
        self._admission = AdmissionLimiter(1, waiting, "measurements of test parts")

    async def measure(self, controller: RunController, *, again: bool) -> Run:
        """Measure the test part of a run with its best model, and store the result; durable.

        The best model is the one by validation, if there is one.

        Parameters
        ----------
        controller : RunController
            The run.
        again : bool
            Whether to measure although there is a measurement.

        Raises
        ------
        ConflictError
            The run has no test part or no model, the test part has been measured, or the loss is
            not a finite number.
        TooBusyError
            Too many requests are waiting.
        StorageError
            The result cannot be stored; then nothing has changed.
        """
        async with self._admission:
            run = controller.run
            if not run.spec.test_fraction:
                raise ConflictError("The run has no test part: its test_fraction is 0.")
            if run.best is None:
                raise ConflictError("The run has no best model yet: no update has been made.")
            if run.test is not None and not again:
                raise ConflictError(
                    f"The test part was measured at {run.test.measured_at}. A test part is for one"
                    ' measurement; with "again": true it is measured again, and counted.'
                )
            which: Which = "best" if run.validation_loss is None else "best_validation"
            measured = await self._measure(controller, which)
            if measured["nats"] is None:
                raise ConflictError("The loss on the test part is not a finite number.")
            by: Measure = "validation" if which == "best_validation" else "smooth_loss"
            result = LossOnTest.measured(
                run.test,
                by=by,
                update=measured["update"],
                nats=measured["nats"],
                characters=measured["characters"],
            )
            await controller.recorder.set_test(result)
            return run

    async def _measure(self, controller: RunController, which: Which) -> dict[str, Any]:
        # A process for this measurement alone: there are few of them.
        inference = InferenceClient()
        try:
            async with temporary_file(controller) as exported:
                # To its end, because the file is deleted after it was written.
                if await run_to_end(controller.export_model(exported, which)):
                    path = exported
                else:
                    path = await controller.recovery.latest_file() or exported
                return await inference.measure_test_part(
                    MeasureTestPart(
                        path=str(path),
                        which=which,
                        corpus_path=str(controller.corpus_path),
                        spec=controller.run.spec.model_dump(mode="json"),
                    )
                )
        except (ChildRefusedError, ChildExitedError) as error:
            raise ConflictError(f"The test part could not be measured: {error}.") from error
        finally:
            await inference.terminate()
