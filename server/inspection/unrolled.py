"""The next update of a run, taken apart step by step."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Callable, Hashable
from pathlib import Path

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.background_tasks import run_to_end
from server.concurrency.single_flight import SingleFlightCache
from server.inference.client import InferenceClient
from server.inference.inspection.messages import UnrollUpdate
from server.inspection.commands import raising_conflict, run_fields
from server.inspection.models import ProbedModel
from server.runs.downloads import temporary_file
from server.runs.run_controller import RunController
from server.spec.schemas import ApiModel, Run, RunState

__all__ = ["MAX_UNROLLED_STEPS", "UnrolledUpdate", "UnrolledUpdates"]

MAX_UNROLLED_STEPS = 50
TOP = 5
CACHE_SIZE = 20
# While a run trains, its next update is computed at most so often: each time, the training waits
# for the export of a checkpoint, whose time grows with the number of parameters.
INTERVAL_S = 2.0
INTERVAL_S_PER_PARAMETER = 1e-6
# The work that counts as one request: a tenth of a second.
REQUEST_MULTIPLY_ADDS = 2 * 10**8
# About how many multiply-adds each parameter takes in a step: forward, back, and forward again.
PER_STEP = 5

Charge = Callable[[int], None]
Figure = float | None


class Int8Matrix(ApiModel):
    """A matrix of shape [rows, columns] as signed bytes, row by row, in base64; 127 is `max`."""

    shape: list[int]
    int8: str
    max: float


class UnrolledLayer(ApiModel):
    """One layer, unrolled over n steps. A figure is None if it is not finite.

    Attributes
    ----------
    hidden : Int8Matrix
        The n + 1 hidden states of m units: before the sequence, and after each step.
    gradients : Int8Matrix
        The n gradients of the sequence's loss with respect to the hidden state after each step.
    from_output : list of float
        The norm of the part of each that comes through the output, or the layer above, of its own
        step.
    from_later : dict of str to list of float
        The norms of the gradients with respect to each state, such as h, through later steps alone:
        before the sequence, and after each step.
    together : list of float
        The norms of `gradients`.
    """

    hidden: Int8Matrix
    gradients: Int8Matrix
    from_output: list[Figure]
    from_later: dict[str, list[Figure]]
    together: list[Figure]


class UpdateNorms(ApiModel):
    """The Euclidean norms of an update of one parameter, or of all (`name` is empty).

    Attributes
    ----------
    name : str
        Such as W.
    shape : list of int
        Its shape.
    gradient, clipped : float
        Of its gradient before and after clipping, averaged over the streams.
    step : float
        Of what the optimizer adds to it.
    value : float
        Of itself before the update.
    """

    name: str
    shape: list[int]
    gradient: Figure
    clipped: Figure
    step: Figure
    value: Figure


class ParameterSteps(UpdateNorms):
    """The update of a parameter, and its gradient split by step.

    Attributes
    ----------
    terms : list of float
        The norm of each step's term in the sum that is the first stream's gradient.
    sum_of_terms : float
        The norm of the sum of these terms.
    """

    terms: list[Figure]
    sum_of_terms: Figure


class WholeUpdate(UpdateNorms):
    """The update of all parameters.

    Attributes
    ----------
    loss, loss_after : float
        The loss of the update, and that of the same sequences with the parameters after it.
    numbers, clipped_numbers : int
        How many numbers are learned, and of how many clipping changes the gradient.
    """

    loss: Figure
    loss_after: Figure
    numbers: int
    clipped_numbers: int


class NumberUpdate(ApiModel):
    """The update of one number: the one of the first layer's W with the greatest gradient.

    Attributes
    ----------
    parameter : str
        W or W1.
    index : list of int
        Row and column, from 0.
    value : float
        The number before the update.
    gradient, clipped, step : float
        Its gradient before and after clipping, and what the optimizer adds to it.
    """

    parameter: str
    index: list[int]
    value: Figure
    gradient: Figure
    clipped: Figure
    step: Figure


class UnrolledUpdate(ApiModel):
    """The next update of a run: its first stream unrolled, and what is learned from it.

    Attributes
    ----------
    model : ProbedModel
        The network before the update.
    update, epoch : int
        The number of the update that would be made, and its epoch.
    position : int
        Where the first stream reads in its part of the corpus, in characters.
    learning_rate : float
        Of this update.
    dropout : float
        The share of the hidden states dropped between layers; the masks are those of the update.
    sequence_length, streams : int
        T and B.
    zero_state : bool
        Whether the state before the sequence is zero.
    inputs, targets : list of str
        The characters that the first stream reads in the first n steps, n at most 50, and the
        character that follows each.
    top : list of list of (str, float)
        The likeliest next characters after each, and their probabilities.
    target_probability : list of float
        The probability of each target.
    loss, loss_after : list of float
        ``-log`` of it, in nats, and the same with the parameters after the update.
    layers : list of UnrolledLayer
        The lowest first.
    parameters : list of ParameterSteps
        One for each parameter.
    total : WholeUpdate
        Of all of them.
    number : NumberUpdate
        An example.
    """

    model: ProbedModel
    update: int
    epoch: int
    position: int
    learning_rate: float
    dropout: float
    sequence_length: int
    streams: int
    zero_state: bool
    inputs: list[str]
    targets: list[str]
    top: list[list[tuple[str, float]]]
    target_probability: list[Figure]
    loss: list[Figure]
    loss_after: list[Figure]
    layers: list[UnrolledLayer]
    parameters: list[ParameterSteps]
    total: WholeUpdate
    number: NumberUpdate


class UnrolledUpdates:
    """Computes the next update of any run, in a process of its own.

    Parameters
    ----------
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, waiting: int) -> None:
        self._inference = InferenceClient()
        self._admission = AdmissionLimiter(1, waiting, "unrolled updates")
        # As JSON, because a lecture hall asks for the same.
        self._updates: SingleFlightCache[str] = SingleFlightCache(CACHE_SIZE)

    async def next_update(self, controller: RunController, charge: Charge = lambda _: None) -> str:
        """Return an `UnrolledUpdate` as JSON.

        Parameters
        ----------
        controller : RunController
            The run, in any state. It does not make the update.
        charge : callable
            Called with the number of requests that the work counts as, if the result is not
            cached; it may raise.

        Raises
        ------
        ConflictError
            The run's checkpoint cannot be read.
        TooBusyError
            Too many requests are waiting.
        """
        key = _key(controller.run)
        if key not in self._updates:
            charge(_requests(controller.run))
        return await self._updates.get(key, lambda: self._compute(controller))

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    async def _compute(self, controller: RunController) -> str:
        with raising_conflict("The update could not be computed"):
            async with self._admission, _checkpoint(controller) as path:
                command = UnrollUpdate(
                    path=None if path is None else str(path),
                    which="latest",
                    **run_fields(controller),
                    steps=MAX_UNROLLED_STEPS,
                    top=TOP,
                )
                unrolled = (await self._inference.inspect(command))["unrolled"]
        model = {"kind": "latest", "update": unrolled["update"] - 1}
        return UnrolledUpdate.model_validate(unrolled | {"model": model}).model_dump_json()


@contextlib.asynccontextmanager
async def _checkpoint(controller: RunController) -> AsyncIterator[Path | None]:
    """Yield a checkpoint of the run as it stands; None if it never trained."""
    async with temporary_file(controller) as path:
        # To its end, because the file is deleted after it was written.
        if await run_to_end(controller.export_checkpoint(path)):
            yield path
        else:
            yield await controller.recovery.latest_file()


def _key(run: Run) -> Hashable:
    """Return a key that is the same as long as the answer may be."""
    if run.state is RunState.RUNNING:
        interval_s = max(INTERVAL_S, run.parameters * INTERVAL_S_PER_PARAMETER)
        return run.id, int(time.monotonic() / interval_s)
    # The learning rate may change while the run is paused.
    return run.id, run.update, run.spec.model_dump_json()


def _requests(run: Run) -> int:
    """Return the number of requests that the work counts as."""
    steps = run.spec.sequence_length * (run.spec.batch_size + PER_STEP)
    return 1 + steps * run.parameters // REQUEST_MULTIPLY_ADDS
