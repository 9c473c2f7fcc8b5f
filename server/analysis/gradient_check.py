"""The proof of the gradients, for whoever asks for it."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.rnn.architecture import MAX_LAYERS, Architecture
from server.rnn.gradient_check.check import Mistake
from server.spec.run_spec import CellName, SpecError, encodable

__all__ = [
    "ErrorCurveResult",
    "GradientCheckRequest",
    "GradientCheckResult",
    "GradientCheckService",
]

RANDOM_VOCABULARY = 30
MAX_PARAMETERS = 20_000
# Every entry of every parameter is moved, and the whole sequence read again each time, which costs
# some 1e-9 s for each of these: this is half a minute's work.
MAX_WORK = 20 * 10**9
WORK_OF_A_CHECK = 10**9
MAX_CHARACTERS = 500
MAX_TEXT = 10_000

Matrix = list[list[float | None]]


class GradientCheckRequest(BaseModel):
    """Which network's gradients to check.

    Attributes
    ----------
    cell, hidden_size, layers, sequence_length, batch_size, seed
        As in a run's spec; the parameters are random.
    text : str or None
        What it reads; None: random characters.
    mistake : {"clipping", "float32", "state"} or None
        A mistake to make on purpose, by which a right gradient looks wrong.
    step : float or None
        Of the central difference; None: the best one.
    details : bool
        Whether to answer with the error of every entry.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    cell: CellName = "rnn"
    hidden_size: int = Field(20, ge=1, le=128)
    layers: int = Field(1, ge=1, le=MAX_LAYERS)
    sequence_length: int = Field(10, ge=1, le=100)
    batch_size: int = Field(1, ge=1, le=50)
    seed: int = Field(0, ge=0, lt=2**63)
    text: Annotated[str, Field(min_length=1, max_length=MAX_TEXT)] | None = None
    mistake: Mistake | None = None
    step: Annotated[float, Field(gt=0, le=1)] | None = None
    details: bool = False

    @field_validator("text")
    @classmethod
    def _whole(cls, value: str | None) -> str | None:
        return value if value is None else encodable(value)

    @property
    def distinct(self) -> int:
        """K."""
        return RANDOM_VOCABULARY if self.text is None else len(set(self.text))

    @property
    def parameters(self) -> int:
        """How many entries are moved."""
        return Architecture(
            vocabulary_size=self.distinct,
            hidden_size=self.hidden_size,
            cell=self.cell,
            layers=self.layers,
        ).size

    @property
    def checks(self) -> int:
        """How much work it is; a usual check is 1."""
        work = self.parameters**2 * self.batch_size * self.sequence_length
        return max(1, work // WORK_OF_A_CHECK)


class Thresholds(BaseModel):
    """What the greatest relative errors must stay below."""

    complex_step: float
    central_difference: float


class ParameterErrors(BaseModel):
    """The relative error of every entry of a parameter, a row a unit."""

    complex_step: Matrix
    central_difference: Matrix


class CheckedParameter(BaseModel):
    """The greatest relative errors of one parameter; null where they are not finite."""

    name: str
    shape: list[int]
    complex_step: float | None
    central_difference: float | None
    passed: bool
    errors: ParameterErrors | None = None


class GradientCheckResult(BaseModel):
    """The verdict; `threshold` is that of the central difference."""

    passed: bool
    threshold: float
    thresholds: Thresholds
    dtype: str
    parameters: list[CheckedParameter]


class ErrorCurveResult(BaseModel):
    """The greatest relative error of each method at each step."""

    steps: list[float]
    complex_step: list[float | None]
    central_difference: list[float | None]
    textbook_difference: list[float | None]


class GradientCheckService:
    """Has gradients checked, in a process apart.

    Parameters
    ----------
    text_characters : int
        Length of the text to read at most.
    waiting : int
        Checks that are under way or waited for at most.
    """

    def __init__(self, text_characters: int, waiting: int) -> None:
        self._inference = InferenceClient()
        self._text_characters = text_characters
        self._turns = AdmissionLimiter(1, waiting, "gradient checks")

    async def check(self, request: GradientCheckRequest) -> GradientCheckResult:
        """Check the gradients of a random network.

        Raises
        ------
        SpecError
            The text is too short or too long, or the network too large.
        TooBusyError
            Too many ask at once.
        """
        _check_sizes(request)
        if len(request.text or "") > self._text_characters:
            raise SpecError("text", f"must be at most {self._text_characters:,} characters here")
        _check_work(request)
        asked = request.model_dump() | {"vocabulary_size": request.distinct}
        return GradientCheckResult.model_validate(await self._ask("check", asked))

    async def curve(self, cell: CellName) -> ErrorCurveResult:
        """Compare the methods at all kinds of steps."""
        return ErrorCurveResult.model_validate(await self._ask("curve", {"cell": cell}))

    async def leave(self) -> None:
        """End the process."""
        await self._inference.leave()

    async def _ask(self, command: str, request: dict[str, Any]) -> Any:  # noqa: ANN401
        try:
            async with self._turns:
                return (await self._inference.prove(command, request))["proof"]
        except (ChildExitedError, ChildRefusedError) as error:
            raise ConflictError(f"The check could not be made: {error}.") from error


def _check_sizes(request: GradientCheckRequest) -> None:
    characters = request.batch_size * request.sequence_length
    if characters > MAX_CHARACTERS:
        would_do = MAX_CHARACTERS // request.batch_size
        raise SpecError(
            "sequence_length", f"must be at most {would_do:,} with that batch_size to be checked"
        )
    needed = characters + request.batch_size
    if request.text is not None and len(request.text) < needed:
        raise SpecError("text", f"must have at least {needed:,} characters for these sizes")


def _check_work(request: GradientCheckRequest) -> None:
    parameters, characters = request.parameters, request.batch_size * request.sequence_length
    if parameters > MAX_PARAMETERS:
        raise SpecError(
            "hidden_size",
            f"makes {parameters:,} parameters to check one by one; at most {MAX_PARAMETERS:,} are"
            " allowed",
        )
    would_do = MAX_WORK // parameters**2
    if characters > would_do:
        raise SpecError(
            "sequence_length",
            f"makes {characters:,} characters, with the batch_size, to be read for each of"
            f" {parameters:,} parameters: at most {would_do:,} are allowed",
        )
