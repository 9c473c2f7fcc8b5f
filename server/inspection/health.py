"""The health of a run's network, and how far back in time its gradients reach."""

from __future__ import annotations

import math
from collections.abc import Callable

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.json_lines import Message
from server.concurrency.single_flight import SingleFlightCache
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.inference.inspection.messages import (
    InspectionCommand,
    MeasureHealth,
    MeasureMemory,
    MeasureUpdateRatios,
)
from server.inspection.commands import model_fields, raising_conflict, run_fields
from server.inspection.figures import Figure, HalfLife, half_life_sentence, make_figures
from server.inspection.models import InspectedModel, InspectedModels, ProbedModel
from server.passages.request import AtUpdate
from server.runs.run_controller import RunController
from server.spec.schemas import ApiModel

__all__ = ["Health", "HealthService", "Memory"]

CACHE_SIZE = 100
# The work that counts as one request: a tenth of a second.
REQUEST_MULTIPLY_ADDS = 2 * 10**8
CHARACTERS_READ = 500
"""About how many characters are read to observe the units and the memory."""

Charge = Callable[[int], None]
Number = float | None


class StateNorms(ApiModel):
    """The norms of the gradient with respect to one kind of state of a layer.

    Attributes
    ----------
    layer : int
        From 0.
    state : str
        "h", or another state of the cell, such as "c".
    norms : list of float or None
        0, 1, 2, ... steps back; the geometric mean over several losses. None if it is not finite.
    """

    layer: int
    state: str
    norms: list[Number]


class Memory(ApiModel):
    """How much a loss depends on the states 0, 1, 2, ... steps back.

    Attributes
    ----------
    model : ProbedModel
        The model that was measured.
    cell : str
        Of its layers.
    sequence_length : int
        How many steps back the training carries gradients.
    gradient_by_lag : list of float or None
        The norm of the gradient of the last step's loss with respect to the hidden states of all
        layers 0, 1, 2, ... steps back. None where it is not finite.
    typical : list of StateNorms
        The same for each layer and state, over several losses.
    losses : int
        How many.
    half_life : float, "infinite" or None
        In how many steps back the gradient with respect to the last layer's h becomes half as
        great, within `sequence_length`; "infinite" if it does not; None if it is not known.
    sentence : str
        The half-life in words.
    """

    model: ProbedModel
    cell: str
    sequence_length: int
    gradient_by_lag: list[Number]
    typical: list[StateNorms]
    losses: int
    half_life: HalfLife
    sentence: str


class Health(ApiModel):
    """The health of a network, measured on the text that its next update reads.

    Attributes
    ----------
    model : ProbedModel
        The model that was measured.
    update : int
        Its update.
    gradient_norm : float or None
        The Euclidean norm of the gradient of the next update, before clipping; None if it is not
        finite.
    clipped_share : float
        The share of its numbers that clipping changes; when the norm is limited, 1 if it is above
        the limit, else 0.
    saturated_share : list of float
        By layer: the share of activations below -0.95 or above 0.95.
    dead_share : list of float
        By layer: the share of units whose activation stays within a range of 0.01.
    spectral_radius : list of float or None
        By layer: the greatest absolute value of an eigenvalue of W; with several gates, of the
        blocks of W. None for layers of more than 512 units.
    gate_spectral_radius : list of list of float or None
        By layer and gate.
    update_ratio : dict of str to float or None
        By parameter: the norm of a step, divided by the norm of the parameter; None if the
        parameter was zero. Empty if the run has no checkpoint.
    update_ratio_update : int or None
        The update of that step, the first one after a checkpoint: the nearest to `update`.
    parameter_norms : dict of str to float or None
        The Euclidean norm of each parameter.
    gradient_by_lag : list of float or None
        As in `Memory`.
    half_life : float, "infinite" or None
        As in `Memory`.
    figures : list of Figure
        The same with sentences.
    """

    model: ProbedModel
    update: int
    gradient_norm: Number
    clipped_share: float
    saturated_share: list[float]
    dead_share: list[float]
    spectral_radius: list[Number]
    gate_spectral_radius: list[list[Number]]
    update_ratio: dict[str, Number]
    update_ratio_update: int | None
    parameter_norms: dict[str, Number]
    gradient_by_lag: list[Number]
    half_life: HalfLife
    figures: list[Figure]


class HealthService:
    """Measures the models of any run, in a process of its own.

    Parameters
    ----------
    models : InspectedModels
        Finds the models.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, models: InspectedModels, waiting: int) -> None:
        self._models = models
        self._inference = InferenceClient()
        self._admission = AdmissionLimiter(1, waiting, "measurements of networks")
        # As JSON, because many viewers ask for the same.
        self._answers: SingleFlightCache[str] = SingleFlightCache(CACHE_SIZE)
        self._ratios: SingleFlightCache[Message] = SingleFlightCache(CACHE_SIZE)

    async def health(
        self, controller: RunController, source: str | AtUpdate, charge: Charge = lambda _: None
    ) -> str:
        """Return a `Health` as JSON.

        Parameters
        ----------
        controller : RunController
            The run.
        source : str or AtUpdate
            As in a probe request.
        charge : callable
            Called with the number of requests that the work counts as, if the result is not
            cached; it may raise.

        Raises
        ------
        SpecError
            The run has no such model.
        UnknownCheckpointError, UnknownModelError
            The source does not exist.
        ConflictError
            The model cannot be read.
        TooBusyError
            Too many requests are waiting.
        """
        async with self._models.locate(controller, source) as model:
            checkpoints = {
                each.id: each.update
                for each in await controller.checkpoint_store.list()
                if not each.damaged
            }
            key = controller.run.id, model.located.kind, model.key, tuple(checkpoints)
            if key not in self._answers:
                charge(_requests(controller, updates=4))
            return await self._answers.get(
                key, lambda: self._measure_health(controller, model, checkpoints)
            )

    async def memory(
        self, controller: RunController, source: str | AtUpdate, charge: Charge = lambda _: None
    ) -> str:
        """Return a `Memory` as JSON; the parameters and errors are those of `health`."""
        async with self._models.locate(controller, source) as model:
            key = controller.run.id, model.located.kind, model.key
            if key not in self._answers:
                charge(_requests(controller, updates=0))
            return await self._answers.get(key, lambda: self._measure_memory(controller, model))

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    async def _measure_memory(self, controller: RunController, model: InspectedModel) -> str:
        located, spec = model.located, controller.run.spec
        reply = await self._ask(MeasureMemory(**model_fields(controller, model)))
        return Memory(
            model=ProbedModel(kind=located.kind, update=reply["update"]),
            cell=spec.cell,
            sequence_length=spec.sequence_length,
            gradient_by_lag=reply["last"],
            typical=reply["typical"],
            losses=reply["losses"],
            half_life=reply["half_life"],
            sentence=half_life_sentence(reply["half_life"]),
        ).model_dump_json()

    async def _measure_health(
        self, controller: RunController, model: InspectedModel, checkpoints: dict[str, int]
    ) -> str:
        reply = await self._ask(MeasureHealth(**model_fields(controller, model)))
        ratios = await self._update_ratios(controller, checkpoints, reply["update"])
        radii, memory = reply["spectral_radius"], reply["memory"]
        return Health(
            model=ProbedModel(kind=model.located.kind, update=reply["update"]),
            update=reply["update"],
            gradient_norm=reply["gradient_norm"],
            clipped_share=reply["clipped_share"],
            saturated_share=reply["saturated_share"],
            dead_share=reply["dead_share"],
            spectral_radius=[None if None in each else max(each) for each in radii],
            gate_spectral_radius=radii,
            update_ratio={} if ratios is None else ratios["ratios"],
            update_ratio_update=None if ratios is None else ratios["update"],
            parameter_norms=reply["parameter_norms"],
            gradient_by_lag=memory["last"],
            half_life=memory["half_life"],
            figures=make_figures(reply, ratios, controller.run.spec),
        ).model_dump_json()

    async def _update_ratios(
        self, controller: RunController, checkpoints: dict[str, int], update: int
    ) -> Message | None:
        """Return the ratios of the update after the nearest checkpoint; None if there is none.

        An exported model lacks the state of the optimizer, which a checkpoint has.
        """
        if not checkpoints:
            return None
        nearest = min(checkpoints, key=lambda each: abs(checkpoints[each] - update))
        command = MeasureUpdateRatios(
            **run_fields(controller),
            path=str(controller.checkpoint_store.path(nearest)),
            which="latest",
        )
        try:
            return await self._ratios.get(nearest, lambda: self._ask(command))
        except ConflictError:
            # It may have been deleted meanwhile.
            return None

    async def _ask(self, command: InspectionCommand) -> Message:
        with raising_conflict("The network could not be measured"):
            async with self._admission:
                return await self._inference.inspect(command)


def _requests(controller: RunController, updates: int) -> int:
    """Return the number of requests that the work counts as; an update is computed so often."""
    run = controller.run
    characters = CHARACTERS_READ + updates * run.spec.sequence_length * run.spec.batch_size
    return math.ceil(characters * run.parameters / REQUEST_MULTIPLY_ADDS)
