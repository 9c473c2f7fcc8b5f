"""What the units of a network follow, and when they came to follow it."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from functools import partial
from typing import Any

from server.checkpoints.snapshots import Snapshots
from server.concurrency.admission import AdmissionLimiter
from server.concurrency.json_lines import Message
from server.concurrency.single_flight import SingleFlightCache
from server.inference.client import InferenceClient
from server.inference.inspection.messages import FindUnits, ReadUnitHistory
from server.inference.inspection.units import HISTORY_STEP, stretch_length
from server.inspection.commands import model_fields, raising_conflict, run_fields
from server.inspection.models import InspectedModels, ProbedModel
from server.inspection.snapshots import spread_over_training
from server.passages.request import AtUpdate
from server.rnn.training.validation import characters_to_learn
from server.runs.downloads import BY_NAME
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError
from server.spec.schemas import ApiModel, Run

__all__ = ["FollowedFeature", "UnitHistory", "UnitList", "UnitService"]

CACHE_SIZE = 100
LIVE_INTERVAL_S = 5.0
"""All readers of the live network get the same result for so long."""

MAX_SNAPSHOTS = 40
"""How many points the curve of a unit has at most."""

REQUEST_MULTIPLY_ADDS = 2 * 10**9
"""The work that counts as one request: a tenth of a second, as many characters are read at once."""

Charge = Callable[[int], None]


class FollowedFeature(ApiModel):
    """A unit, and the feature of the text that it follows.

    Attributes
    ----------
    layer, unit : int
        From 0.
    confirmed : bool
        Whether the unit follows a feature.
    feature : str or None
        The feature in words, such as "inside quotation marks"; None if it follows none.
    correlation : float or None
        Pearson's r with the feature, on text that had no part in choosing it.
    limit : float or None
        What the correlation had to exceed: that of shifted text and of untrained networks.
    label : str
        All this in words.
    """

    layer: int
    unit: int
    confirmed: bool
    feature: str | None
    correlation: float | None
    limit: float | None
    label: str


class UnitList(ApiModel):
    """The features that the units of a network follow.

    Attributes
    ----------
    model : ProbedModel
        The model.
    layers, hidden_size : int
        Of the network.
    characters : int
        The length of each of the two stretches of the text that were read.
    features : int
        How many features were compared with each unit.
    units : list of FollowedFeature
        All units, layer by layer.
    """

    model: ProbedModel
    layers: int
    hidden_size: int
    characters: int
    features: int
    units: list[FollowedFeature]


class UnitHistory(ApiModel):
    """The correlation of a unit with a feature over the training.

    Attributes
    ----------
    layer, unit : int
        From 0.
    feature : str or None
        The feature; None if the unit follows none.
    update : list of int
        The updates of the snapshots, ascending, about 40 at most.
    correlation : list of float
        Pearson's r at each of them.
    limit : float or None
        What the correlation has to exceed; None if the feature was named in the request.
    """

    layer: int
    unit: int
    feature: str | None
    limit: float | None
    update: list[int]
    correlation: list[float]


class UnitService:
    """Finds what units follow, in a process of its own.

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
        self._admission = AdmissionLimiter(1, waiting, "requests for units")
        self._lists: SingleFlightCache[UnitList] = SingleFlightCache(CACHE_SIZE)
        self._histories: SingleFlightCache[UnitHistory] = SingleFlightCache(CACHE_SIZE)
        # The snapshots that were read last for a run: the process still has their correlations.
        self._read: OrderedDict[str, list[int]] = OrderedDict()

    async def find(
        self, controller: RunController, source: str | AtUpdate, charge: Charge = lambda _: None
    ) -> UnitList:
        """Find the feature that each unit follows.

        Parameters
        ----------
        controller : RunController
            The run.
        source : str or AtUpdate
            As in a passage request.
        charge : callable
            Called with the number of requests that the work counts as, if the result is not
            cached; it may raise.

        Raises
        ------
        UnknownCheckpointError, UnknownModelError
            The source does not exist.
        SpecError
            The run has no such model.
        ConflictError
            The model cannot be read.
        TooBusyError
            Too many requests are waiting.
        """
        run = controller.run
        compute = partial(self._find, controller, source)
        if isinstance(source, str) and source in BY_NAME:
            key: Hashable = run.id, source, _moment(run)
        else:
            async with self._models.locate(controller, source) as model:
                key = run.id, model.located.kind, model.key
        if key not in self._lists:
            charge(1 + 2 * _characters(run) * run.parameters // REQUEST_MULTIPLY_ADDS)
        return await self._lists.get(key, compute)

    async def history(
        self,
        controller: RunController,
        layer: int,
        unit: int,
        feature: str | None,
        charge: Charge = lambda _: None,
    ) -> UnitHistory:
        """Return the correlation of a unit with a feature at each snapshot of the run.

        Parameters
        ----------
        controller : RunController
            The run.
        layer, unit : int
            From 0.
        feature : str or None
            The name of a feature; None: the one that the unit follows in the newest model.
        charge : callable
            As for `find`.

        Raises
        ------
        SpecError
            There is no such layer, unit or feature. Otherwise as for `find`.
        """
        run = controller.run
        for field, value, size in (
            ("layer", layer, run.spec.layers),
            ("unit", unit, run.spec.hidden_size),
        ):
            if value >= size:
                raise SpecError(field, f"must be less than {size:,} in this network")
        limit = None
        if feature is None:
            found = await self.find(controller, "latest", charge)
            latest = found.units[layer * run.spec.hidden_size + unit]
            feature, limit = latest.feature, latest.limit
        if feature is None:
            return UnitHistory(
                layer=layer, unit=unit, feature=None, limit=None, update=[], correlation=[]
            )
        snapshots = Snapshots.of_checkpoints(controller.checkpoint_store.directory)
        updates = spread_over_training(await asyncio.to_thread(snapshots.updates), MAX_SNAPSHOTS)
        key = run.id, layer, unit, feature, *updates
        if key not in self._histories:
            new = len(set(updates) - set(self._read.get(run.id, [])))
            characters = _characters(run) // HISTORY_STEP
            charge(1 + new * characters * run.parameters // REQUEST_MULTIPLY_ADDS)
        command = ReadUnitHistory(
            snapshots=[(update, str(snapshots.path(update))) for update in updates],
            **run_fields(controller),
            characters_to_learn=_to_learn(run),
            layer=layer,
            unit=unit,
            feature=feature,
        )
        history = await self._histories.get(key, lambda: self._read_history(run.id, command))
        return history.model_copy(update={"limit": limit})

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    async def _find(self, controller: RunController, source: str | AtUpdate) -> UnitList:
        run = controller.run
        async with self._models.locate(controller, source) as model:
            command = FindUnits(
                **model_fields(controller, model),
                characters_to_learn=_to_learn(run),
            )
            found = await self._compute(lambda: self._inference.inspect(command))
        m, layers = run.spec.hidden_size, run.spec.layers
        return UnitList(
            model=ProbedModel(kind=model.located.kind, update=found["update"]),
            layers=layers,
            hidden_size=m,
            characters=found["characters"],
            features=found["features"],
            units=[
                _described(number // m, number % m, follows, layers)
                for number, follows in enumerate(found["units"])
            ],
        )

    async def _read_history(self, run_id: str, command: ReadUnitHistory) -> UnitHistory:
        found = await self._compute(lambda: self._inference.read_unit_history(command))
        if not found["known"]:
            raise SpecError("feature", "is not a feature of this text")
        self._read[run_id] = [update for update, _ in command.snapshots]
        self._read.move_to_end(run_id)
        while len(self._read) > CACHE_SIZE:
            self._read.popitem(last=False)
        return UnitHistory(
            layer=command.layer,
            unit=command.unit,
            feature=command.feature,
            limit=None,
            update=found["update"],
            correlation=found["correlation"],
        )

    async def _compute(self, request: Callable[[], Awaitable[Message]]) -> Message:
        with raising_conflict("The units could not be read"):
            async with self._admission:
                return await request()


def _described(layer: int, unit: int, follows: list[Any] | None, layers: int) -> FollowedFeature:
    name = f"unit {unit}" if layers == 1 else f"layer {layer + 1}, unit {unit}"
    if follows is None:
        return FollowedFeature(
            layer=layer,
            unit=unit,
            confirmed=False,
            feature=None,
            correlation=None,
            limit=None,
            label=f"{name}: follows no feature",
        )
    feature, r, limit = follows
    minus = "\u2212" if r < 0 else ""
    return FollowedFeature(
        layer=layer,
        unit=unit,
        confirmed=True,
        feature=feature,
        correlation=r,
        limit=limit,
        label=f"{name}: {feature}, r = {minus}{abs(r):.2f}",
    )


def _moment(run: Run) -> Hashable:
    """Return the same for models that need not be told apart: while a run trains, for seconds."""
    if run.updates_per_second:
        return int(time.monotonic() / LIVE_INTERVAL_S)
    return run.update, run.loss, run.smooth_loss


def _to_learn(run: Run) -> int:
    spec = run.spec
    return characters_to_learn(run.corpus_characters, spec.validation_fraction, spec.test_fraction)


def _characters(run: Run) -> int:
    """Return the length of each stretch that the network of a run reads."""
    units = run.spec.layers * run.spec.hidden_size
    return stretch_length(run.parameters, units, _to_learn(run))
