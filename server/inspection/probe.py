"""Probes: what a network computes at each character of a text."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated

from pydantic import Field

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.single_flight import SingleFlightCache
from server.inference.client import InferenceClient
from server.inference.inspection.messages import ProbeText
from server.inference.inspection.probe import MAX_SALIENCY_CHARACTERS
from server.inspection.commands import model_fields, raising_conflict
from server.inspection.models import InspectedModel, InspectedModels, ProbedModel
from server.inspection.units import UnitService
from server.passages.request import MAX_TEMPERATURE, AtUpdate
from server.runs.run_controller import RunController
from server.spec.run_spec import SpecError, StrictModel
from server.spec.schemas import ApiModel

__all__ = [
    "MAX_PROBE_CHARACTERS",
    "Charge",
    "Probe",
    "ProbeHistoryRequest",
    "ProbeRequest",
    "ProbeService",
    "check_text",
    "requests",
]

MAX_PROBE_CHARACTERS = 2_000
MAX_TOP = 20
CACHE_SIZE = 100
# The work that counts as one request: a tenth of a second.
REQUEST_MULTIPLY_ADDS = 2 * 10**8

Charge = Callable[[int], None]


class ProbeRequest(StrictModel):
    """A request to read a text.

    Attributes
    ----------
    text : str
        1 to 2,000 characters of any script; those that the network does not know are skipped.
    source : str or AtUpdate
        The model: "latest", "best", "best_validation", a checkpoint id, or the model at an update.
    top : int
        How many of the likeliest next characters to name, 1 to 20.
    temperature : float
        Of the probabilities in `top`; 0 takes the most likely character.
    layer : int or None
        The layer whose hidden states to send, from 0; None: the last one.
    saliency : bool
        Whether to compute `Saliency`, of up to 400 characters.
    index : int or None
        In a longer text, the character that these 400 must contain; None: the first.
    units : bool
        Whether to name what the units follow, which may take seconds for a new model.
    """

    text: str = Field(min_length=1, max_length=MAX_PROBE_CHARACTERS)
    source: Annotated[str, Field(min_length=1, max_length=64)] | AtUpdate = "latest"
    top: int = Field(5, ge=1, le=MAX_TOP)
    temperature: float = Field(1.0, ge=0, le=MAX_TEMPERATURE)
    layer: int | None = Field(None, ge=0)
    saliency: bool = False
    index: int | None = Field(None, ge=0)
    units: bool = True


class HiddenStates(ApiModel):
    """The hidden states of a layer.

    Attributes
    ----------
    layer : int
        From 0.
    shape : list of int
        [n, m]: characters and units.
    int8 : str
        The activations after each character as signed bytes, row by row, in base64; 127 stands
        for `max`.
    max : float
        1 for cells whose activations are within -1 and 1.
    """

    layer: int
    shape: list[int]
    int8: str
    max: float


class Saliency(ApiModel):
    """The gradients of the logits with respect to earlier characters.

    Row t has the norms of the gradients of the logit of character t, as it was predicted before it
    was read, with respect to each earlier character. Unknown characters have zeros.

    Attributes
    ----------
    first : int
        The index in the text of the first row's character, and of the first column's.
    shape : list of int
        [n, n], n at most 400.
    uint8 : str
        The norms as bytes, row by row, in base64; 255 stands for the row's `max`.
    max : list of float or None
        The greatest norm of each row; None if it is not finite.
    """

    first: int
    shape: list[int]
    uint8: str
    max: list[float | None]


class ProbeHistoryRequest(StrictModel):
    """A request for the probability of a character over the training.

    Attributes
    ----------
    text : str
        As in a probe request.
    index : int
        The character, from 0.
    """

    text: str = Field(min_length=1, max_length=MAX_PROBE_CHARACTERS)
    index: int = Field(ge=0)


class ProbedUnit(ApiModel):
    """A unit of the layer of `HiddenStates`, and the feature of the text that it follows.

    `correlation` is Pearson's r; see `server.inspection.units.FollowedFeature`.
    """

    unit: int
    feature: str
    correlation: float


class Probe(ApiModel):
    """What a network computes at each of n characters.

    Attributes
    ----------
    model : ProbedModel
        The model that read the text, starting from its carried state.
    characters : list of str
        The n characters of the text.
    unknown : list of int
        The indices of the characters that the network does not know. It skips them.
    surprisal : list of float or None
        Of each character in bits, ``-log2 p``; None if it was not predicted, such as the first and
        unknown ones, or is not finite.
    probability : list of float or None
        Of each character at the temperature of `top`; None as for `surprisal`.
    top : list of list of (str, float)
        After each character, the likeliest next ones and their probabilities.
    hidden : HiddenStates
        The activations after each character; after an unknown one they are those before it.
    units : list of ProbedUnit
        Those that follow a feature, if requested. While a run trains, they are those of the live
        model some seconds ago.
    saliency : Saliency or None
        If requested.
    """

    model: ProbedModel
    characters: list[str]
    unknown: list[int]
    surprisal: list[float | None]
    probability: list[float | None]
    top: list[list[tuple[str, float]]]
    hidden: HiddenStates
    units: list[ProbedUnit]
    saliency: Saliency | None = None


class ProbeService:
    """Reads texts with the models of any run, in a process of its own.

    Parameters
    ----------
    models : InspectedModels
        Finds the models.
    units : UnitService
        Finds what the units follow.
    characters : int
        Maximum length of a text, if it is less than `MAX_PROBE_CHARACTERS`.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(
        self, models: InspectedModels, units: UnitService, characters: int, waiting: int
    ) -> None:
        self._models = models
        self._units = units
        self._characters = characters
        self._inference = InferenceClient()
        self._admission = AdmissionLimiter(1, waiting, "probes")
        # As JSON, because many viewers ask for the same.
        self._probes: SingleFlightCache[str] = SingleFlightCache(CACHE_SIZE)

    async def probe(
        self, controller: RunController, request: ProbeRequest, charge: Charge = lambda _: None
    ) -> str:
        """Return a `Probe` as JSON.

        Parameters
        ----------
        controller : RunController
            The run.
        request : ProbeRequest
            The text and the model.
        charge : callable
            Called with the number of requests that the work counts as, if the result is not
            cached; it may raise.

        Raises
        ------
        SpecError
            The text is too long or has no such character, the network no such layer, or the run
            no such model.
        UnknownCheckpointError, UnknownModelError
            The source does not exist.
        ConflictError
            The model cannot be read.
        TooBusyError
            Too many requests are waiting.
        """
        run = controller.run
        check_text(request, self._characters)
        if request.layer is not None and request.layer >= run.spec.layers:
            raise SpecError("layer", f"must be less than {run.spec.layers}, the number of layers")
        async with self._models.locate(controller, request.source) as model:
            asked = request.model_dump_json(exclude={"source"})
            key = run.id, model.located.kind, model.key, asked
            if key not in self._probes:
                charge(requests(_multiply_adds(request, run.parameters)))
            compute = partial(self._read, controller, request, model, charge)
            return await self._probes.get(key, compute)

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    async def _read(
        self,
        controller: RunController,
        request: ProbeRequest,
        model: InspectedModel,
        charge: Charge,
    ) -> str:
        located = model.located
        command = ProbeText(
            **model_fields(controller, model),
            text=request.text,
            top=request.top,
            temperature=request.temperature,
            layer=request.layer,
            saliency=request.saliency,
            index=request.index,
        )
        with raising_conflict("The text could not be read"):
            async with self._admission:
                answer = await self._inference.inspect(command)
        return Probe(
            model=ProbedModel(kind=located.kind, update=answer["update"]),
            characters=list(request.text),
            unknown=answer["unknown"],
            surprisal=answer["surprisal"],
            probability=answer["probability"],
            top=answer["top"],
            hidden=answer["hidden"],
            units=await self._follow(controller, request, answer["hidden"]["layer"], charge),
            saliency=answer["saliency"],
        ).model_dump_json()

    async def _follow(
        self, controller: RunController, request: ProbeRequest, layer: int, charge: Charge
    ) -> list[ProbedUnit]:
        """Return what the units of a layer follow, if that was requested."""
        if not request.units:
            return []
        found = await self._units.find(controller, request.source, charge)
        return [
            ProbedUnit(unit=each.unit, feature=each.feature, correlation=each.correlation)
            for each in found.units
            if each.layer == layer and each.feature is not None and each.correlation is not None
        ]


def check_text(request: ProbeRequest | ProbeHistoryRequest, characters: int) -> None:
    """Raise `SpecError` if a text is longer than `characters`, or lacks the requested character."""
    if len(request.text) > characters:
        raise SpecError("text", f"must be at most {characters:,} characters here")
    if request.index is not None and request.index >= len(request.text):
        raise SpecError("index", f"must be less than {len(request.text):,}, the text's length")


def requests(multiply_adds: int) -> int:
    """Return the number of requests that some work counts as, at least 1."""
    return max(1, multiply_adds // REQUEST_MULTIPLY_ADDS)


def _multiply_adds(request: ProbeRequest, parameters: int) -> int:
    """Return about how many multiply-adds a probe takes."""
    characters = len(request.text)
    pairs = min(characters, MAX_SALIENCY_CHARACTERS) ** 2 // 2 if request.saliency else 0
    return (characters + pairs) * parameters
