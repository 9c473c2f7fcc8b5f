"""Gradient checks on request."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field, field_validator

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.concurrency.single_flight import SingleFlightCache
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.rnn.architecture import MAX_LAYERS, Architecture
from server.rnn.cells import CELLS
from server.rnn.gradient_check.check import Mistake
from server.rnn.gradient_check.random_network import DEFAULTS
from server.spec.run_spec import CellName, SpecError, StrictModel, encodable

__all__ = [
    "ErrorCurveResult",
    "GradientCheckRequest",
    "GradientCheckResult",
    "GradientCheckService",
    "NumberField",
    "number_fields",
]

MAX_PARAMETERS = 20_000
# Each entry of each parameter is perturbed, and each time the whole sequence is processed. The unit
# is a multiply-add of the products in all perturbed networks, about 1e-9 s, so this is half a
# minute.
MAX_WORK = 20 * 10**9
WORK_PER_CHECK = 10**8
# The exponentials of an entry of a gate or of the logits take as long as so many multiply-adds.
WORK_PER_ENTRY = 60
MAX_CHARACTERS = 500
MAX_TEXT = 10_000

Matrix = list[list[float | None]]


class GradientCheckRequest(StrictModel):
    """A request for a gradient check.

    The command line, the form and the API follow from the fields' titles, descriptions, ranges and
    defaults.

    Attributes
    ----------
    cell, layers, hidden_size, sequence_length, batch_size, seed
        As in a run's spec; the parameters are random.
    text : str or None
        The input; None for random characters.
    mistake : {"clipping", "float32", "state"} or None
        A mistake in the check, made on purpose, that makes correct gradients look wrong.
    step : float or None
        Step size of the central difference; None for the best one.
    details : bool
        Whether to return the error of every entry.
    """

    cell: CellName = DEFAULTS.cell
    layers: int = Field(
        DEFAULTS.layers, ge=1, le=MAX_LAYERS, title="Layers", description="Recurrent layers."
    )
    hidden_size: int = Field(
        DEFAULTS.hidden_size,
        ge=1,
        le=128,
        title="Hidden size",
        description="Hidden units per layer, m.",
    )
    sequence_length: int = Field(
        DEFAULTS.sequence_length,
        ge=1,
        le=100,
        title="Sequence length",
        description="Characters per stream, T.",
    )
    batch_size: int = Field(
        DEFAULTS.batch_size, ge=1, le=50, title="Batch size", description="Streams, B."
    )
    seed: int = Field(
        DEFAULTS.seed,
        ge=0,
        le=2**63 - 1,
        title="Seed",
        description="Seed of the network and the text.",
    )
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)] | None = None
    mistake: Mistake | None = None
    step: Annotated[float, Field(gt=0, le=1)] | None = None
    details: bool = False

    @field_validator("text")
    @classmethod
    def _check_encodable(cls, value: str | None) -> str | None:
        return value if value is None else encodable(value)

    @property
    def distinct(self) -> int:
        """K."""
        return DEFAULTS.vocabulary_size if self.text is None else len(set(self.text))

    @property
    def architecture(self) -> Architecture:
        """The sizes of the network."""
        return Architecture(
            vocabulary_size=self.distinct,
            hidden_size=self.hidden_size,
            cell=self.cell,
            layers=self.layers,
        )

    @property
    def parameters(self) -> int:
        """Number of parameter entries to perturb."""
        return self.architecture.size

    @property
    def work_per_character(self) -> int:
        """The work for each character of the sequences, of all perturbed networks together."""
        sizes = self.architecture
        entries = sizes.layers * sizes.gates * sizes.hidden_size + sizes.vocabulary_size
        return sizes.size * (sizes.size + WORK_PER_ENTRY * entries)

    @property
    def checks(self) -> int:
        """The work, in checks of about the default size."""
        work = self.work_per_character * self.batch_size * self.sequence_length
        return max(1, work // WORK_PER_CHECK)


@dataclass(frozen=True, slots=True)
class NumberField:
    """A number that describes the network of a gradient check.

    Attributes
    ----------
    name : str
        The field of `GradientCheckRequest`.
    title, description : str
        The label in the form, and the sentence of the command line.
    default, minimum, maximum : int
        The default and the range, both ends included.
    """

    name: str
    title: str
    description: str
    default: int
    minimum: int
    maximum: int


def number_fields(request: type[BaseModel] = GradientCheckRequest) -> list[NumberField]:
    """Return the numbers that describe the network, in the order of the request's fields."""
    return [
        NumberField(
            name,
            *(schema[key] for key in ("title", "description", "default", "minimum", "maximum")),
        )
        for name, schema in request.model_json_schema()["properties"].items()
        if schema.get("type") == "integer"
    ]


class Thresholds(BaseModel):
    """Upper limits of the relative errors."""

    complex_step: float
    central_difference: float


class ParameterErrors(BaseModel):
    """The relative error of every entry of a parameter, one row per unit."""

    complex_step: Matrix
    central_difference: Matrix


class CheckedParameter(BaseModel):
    """The greatest relative errors of one parameter; null if they are not finite."""

    name: str
    shape: list[int]
    complex_step: float | None
    central_difference: float | None
    passed: bool
    errors: ParameterErrors | None = None


class GradientCheckResult(BaseModel):
    """The result; `threshold` is that of the central difference."""

    passed: bool
    threshold: float
    thresholds: Thresholds
    dtype: str
    parameters: list[CheckedParameter]


class ErrorCurveResult(BaseModel):
    """The greatest relative error of each method at each step size."""

    steps: list[float]
    complex_step: list[float | None]
    central_difference: list[float | None]
    textbook_difference: list[float | None]


class GradientCheckService:
    """Checks gradients in a process of its own.

    Parameters
    ----------
    text_characters : int
        Maximum length of the input text.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, text_characters: int, waiting: int) -> None:
        self._inference = InferenceClient()
        self._text_characters = text_characters
        self._admission = AdmissionLimiter(1, waiting, "gradient checks")
        self._curves: SingleFlightCache[ErrorCurveResult] = SingleFlightCache(len(CELLS))

    async def check(self, request: GradientCheckRequest) -> GradientCheckResult:
        """Check the gradients of a random network.

        Raises
        ------
        SpecError
            The text is too short or too long, or the network too large.
        TooBusyError
            Too many requests are waiting.
        """
        _check_sizes(request)
        if len(request.text or "") > self._text_characters:
            raise SpecError("text", f"must be at most {self._text_characters:,} characters here")
        _check_work(request)
        asked = request.model_dump() | {"vocabulary_size": request.distinct}
        async with self._admitted():
            result = await self._inference.check_gradients(asked)
        return GradientCheckResult.model_validate(result)

    async def curve(self, cell: CellName) -> ErrorCurveResult:
        """Compare the methods at a range of step sizes; computed once for each cell."""

        async def compute() -> ErrorCurveResult:
            async with self._admitted():
                result = await self._inference.compare_step_sizes(cell)
            return ErrorCurveResult.model_validate(result)

        return await self._curves.get(cell, compute)

    async def prepare(self) -> None:
        """Start the process."""
        await self._inference.start()

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()

    @contextlib.asynccontextmanager
    async def _admitted(self) -> AsyncIterator[None]:
        try:
            async with self._admission:
                yield
        except (ChildExitedError, ChildRefusedError) as error:
            raise ConflictError(f"The gradient check failed: {error}.") from error


def _check_sizes(request: GradientCheckRequest) -> None:
    characters = request.batch_size * request.sequence_length
    if characters > MAX_CHARACTERS:
        limit = MAX_CHARACTERS // request.batch_size
        raise SpecError("sequence_length", f"must be at most {limit:,} with that batch_size")
    needed = characters + request.batch_size
    if request.text is not None and len(request.text) < needed:
        raise SpecError("text", f"must have at least {needed:,} characters for these sizes")


def _check_work(request: GradientCheckRequest) -> None:
    parameters, characters = request.parameters, request.batch_size * request.sequence_length
    if parameters > MAX_PARAMETERS:
        raise SpecError(
            "hidden_size",
            f"gives {parameters:,} parameters to check one by one; at most {MAX_PARAMETERS:,} are"
            " allowed",
        )
    limit = MAX_WORK // request.work_per_character
    if characters > limit:
        raise SpecError(
            "sequence_length",
            f"gives {characters:,} characters, with the batch_size, to process for each of"
            f" {parameters:,} parameters; at most {limit:,} are allowed",
        )
