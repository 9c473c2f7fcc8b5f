"""Experiments with units: where in the run's text they fire, and what holding one changes."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.json_lines import Message
from server.concurrency.single_flight import SingleFlightCache
from server.inference.client import InferenceClient
from server.inference.inspection.messages import FindSpans, InspectionCommand, WriteHeld
from server.inference.inspection.spans import searched_characters
from server.inspection.commands import model_fields, raising_conflict
from server.inspection.intervention import MAX_SEED, Intervention, InterventionRequest
from server.inspection.models import InspectedModel, InspectedModels, ProbedModel
from server.inspection.spans import SpanRequest, UnitSpans
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError

__all__ = ["UnitExperiments"]

CACHE_SIZE = 50

REQUEST_MULTIPLY_ADDS = 2 * 10**9
"""The work that counts as one request: a tenth of a second, as many characters are read at once."""

# The fields of the replies that are those of the answers, too.
FOUND = ("units", "searched", "spans")
WRITTEN = ("without", "with", "first_difference", "unknown_characters")

Charge = Callable[[int], None]


class UnitExperiments:
    """Finds where units fire, and writes passages with a unit held, in a process of its own.

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
        self._admission = AdmissionLimiter(1, waiting, "experiments with units")
        self._spans: SingleFlightCache[UnitSpans] = SingleFlightCache(CACHE_SIZE)

    async def find_spans(
        self, controller: RunController, request: SpanRequest, charge: Charge = lambda _: None
    ) -> UnitSpans:
        """Find the places in the run's text where the units of a selected stretch are active.

        Parameters
        ----------
        controller : RunController
            The run.
        request : SpanRequest
            The stretch, the threshold and the model.
        charge : callable
            Called with the number of requests that the work counts as, if the result is not
            cached; it may raise.

        Raises
        ------
        SpecError
            There is no such stretch or layer, the run has no such model, or the network knows no
            character of the stretch.
        UnknownCheckpointError, UnknownModelError
            The source does not exist.
        ConflictError
            The model cannot be read.
        TooBusyError
            Too many requests are waiting.
        """
        run = controller.run
        request.check(run.spec.layers, run.spec.hidden_size)
        async with self._models.locate(controller, request.source) as model:
            asked = request.model_dump_json(exclude={"source"})
            key = run.id, model.located.kind, model.key, asked
            if key not in self._spans:
                characters = searched_characters(run.parameters, run.corpus_characters)
                work = (characters + len(request.text)) * run.parameters
                charge(1 + work // REQUEST_MULTIPLY_ADDS)
            compute = partial(self._find_spans, controller, request, model)
            return await self._spans.get(key, compute)

    async def intervene(
        self, controller: RunController, request: InterventionRequest
    ) -> Intervention:
        """Write a passage with and without a unit held at a value.

        Parameters
        ----------
        controller : RunController
            The run.
        request : InterventionRequest
            The unit, its value and the model.

        Raises
        ------
        SpecError
            There is no such unit, or the run has no such model.
        UnknownCheckpointError, UnknownModelError, ConflictError, TooBusyError
            As for `find_spans`.
        """
        spec = controller.run.spec
        request.check(spec.layers, spec.hidden_size)
        layer = spec.layers - 1 if request.layer is None else request.layer
        seed = secrets.randbelow(MAX_SEED) if request.seed is None else request.seed
        async with self._models.locate(controller, request.source) as model:
            command = WriteHeld(
                **model_fields(controller, model),
                layer=layer,
                unit=request.unit,
                value=request.value,
                length=request.length,
                temperature=request.temperature,
                seed=seed,
                prime=request.prime,
            )
            written = await self._request(command, "The passages could not be written")
        return Intervention(
            model=ProbedModel(kind=model.located.kind, update=written["update"]),
            layer=layer,
            unit=request.unit,
            value=request.value,
            seed=seed,
            **{name: written[name] for name in WRITTEN},
        )

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    async def _find_spans(
        self, controller: RunController, request: SpanRequest, model: InspectedModel
    ) -> UnitSpans:
        layer = controller.run.spec.layers - 1 if request.layer is None else request.layer
        command = FindSpans(
            **model_fields(controller, model),
            text=request.text,
            start=request.start,
            end=request.end,
            threshold=request.threshold,
            edges=request.edges,
            layer=layer,
            unit=request.unit,
        )
        found = await self._request(command, "The text could not be searched")
        if not found["known"]:
            raise SpecError("from", "starts a stretch of which the network knows no character")
        return UnitSpans(
            model=ProbedModel(kind=model.located.kind, update=found["update"]),
            layer=layer,
            **{name: found[name] for name in FOUND},
        )

    async def _request(self, command: InspectionCommand, failure: str) -> Message:
        with raising_conflict(failure):
            async with self._admission:
                return await self._inference.inspect(command)
