"""What a run would be like, before it is begun: how large, how fast, how long."""

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
    """What a run would be like.

    Attributes
    ----------
    parameters : int
        How many numbers the network would learn.
    memory_bytes : int
        About how much memory it would take while it trains.
    updates_per_epoch : int
        How many updates one pass through the text would take.
    updates_per_second : float
        At full speed, measured just now, beside whatever trains already.
    seconds : float or None
        How long all its updates would take at full speed; None where it has no last one.
    epochs : float or None
        How often they would read the text; None where it has no last one.
    """

    parameters: int
    memory_bytes: int
    updates_per_epoch: int
    updates_per_second: float
    seconds: float | None
    epochs: float | None


class EstimateService:
    """Has networks timed, in a process apart.

    Parameters
    ----------
    waiting : int
        EstimateService that are under way or waited for at most.
    """

    def __init__(self, waiting: int) -> None:
        self._inference = InferenceClient()
        self._turns = AdmissionLimiter(1, waiting, "estimates")

    async def estimate(self, spec: RunSpec, sizes: Sizes, distinct: int) -> Estimate:
        """Say what a run would be like.

        Parameters
        ----------
        spec : RunSpec
            What is asked for.
        sizes : Sizes
            What follows from it and the text.
        distinct : int
            K.

        Raises
        ------
        ConflictError
            It could not be timed.
        TooBusyError
            Too many ask at once.
        """
        request = {"spec": spec.model_dump(mode="json"), "distinct": distinct}
        try:
            async with self._turns:
                update_s = (await self._inference.prove("time", request))["proof"]["update_s"]
        except (ChildExitedError, ChildRefusedError) as error:
            raise ConflictError(f"It could not be timed: {error}.") from error
        updates = spec.max_updates
        return Estimate(
            parameters=sizes.parameters,
            memory_bytes=sizes.memory_bytes,
            updates_per_epoch=sizes.updates_per_epoch,
            updates_per_second=1 / update_s,
            seconds=None if updates is None else updates * update_s,
            epochs=None if updates is None else updates / sizes.updates_per_epoch,
        )

    async def leave(self) -> None:
        """End the process."""
        await self._inference.leave()
