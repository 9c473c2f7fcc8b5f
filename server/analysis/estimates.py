"""Estimates of a run before it starts: its size, its speed, its duration."""

from __future__ import annotations

from pydantic import BaseModel

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.spec.run_spec import RunSpec
from server.spec.sizing import Sizes

__all__ = ["Estimate", "EstimateService"]


class Estimate(BaseModel):
    """An estimate of a run.

    Attributes
    ----------
    parameters : int
        Number of trainable parameters.
    memory_bytes : int
        Approximate memory use during training.
    updates_per_epoch : int
        Number of updates in an epoch.
    updates_per_second : float
        At pace `max`, measured now, beside the runs that are training.
    one_thread_updates_per_second : float or None
        The same with one thread; None if no more than one is used.
    seconds : float or None
        Duration of all updates at that speed; None if the number of updates is not limited.
    epochs : float or None
        Number of epochs in all updates; None if the number of updates is not limited.
    """

    parameters: int
    memory_bytes: int
    updates_per_epoch: int
    updates_per_second: float
    one_thread_updates_per_second: float | None
    seconds: float | None
    epochs: float | None


class EstimateService:
    """Times networks in a process of its own.

    Parameters
    ----------
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, waiting: int) -> None:
        self._inference = InferenceClient()
        self._admission = AdmissionLimiter(1, waiting, "estimates")

    async def estimate(self, spec: RunSpec, sizes: Sizes, distinct: int) -> Estimate:
        """Estimate a run.

        Parameters
        ----------
        spec : RunSpec
            The run's spec.
        sizes : Sizes
            The sizes that follow from the spec and the corpus.
        distinct : int
            K.

        Raises
        ------
        ConflictError
            The network could not be timed.
        TooBusyError
            Too many requests are waiting.
        """
        specs = [spec]
        if spec.slots > 1:
            specs.append(spec.model_copy(update={"threads": 1}))
        try:
            async with self._admission:
                update_s, *one_thread_s = await self._inference.time_updates(
                    [each.model_dump(mode="json") for each in specs], distinct
                )
        except (ChildExitedError, ChildRefusedError) as error:
            raise ConflictError(f"The network could not be timed: {error}.") from error
        updates = spec.max_updates
        return Estimate(
            parameters=sizes.parameters,
            memory_bytes=sizes.memory_bytes,
            updates_per_epoch=sizes.updates_per_epoch,
            updates_per_second=1 / update_s,
            one_thread_updates_per_second=1 / one_thread_s[0] if one_thread_s else None,
            seconds=None if updates is None else updates * update_s,
            epochs=None if updates is None else updates / sizes.updates_per_epoch,
        )

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()
