"""Problems of the course, and the answers to students' gradients, on request."""

from __future__ import annotations

import asyncio
import base64
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.course.problem import ProblemQuery, make_problem, problem_file
from server.course.recognition import AnswerError
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.rnn.architecture import MAX_LAYERS
from server.spec.run_spec import CellName

__all__ = ["MAX_ANSWER_BYTES", "Answer", "CourseService", "ProblemRequest"]

# The largest problem's gradients take 0.6 MB; a file may have the parameters, too.
MAX_ANSWER_BYTES = 2_000_000
DEFAULTS = ProblemQuery()
# The steps of a problem whose answer costs as much as a check: an unknown mistake in the largest
# problem takes seconds of processor time.
CELL_STEPS_PER_CHECK = 5


class ProblemRequest(BaseModel):
    """What a problem is made from. Equal requests give equal problems, byte for byte."""

    model_config = ConfigDict(extra="forbid")

    cell: CellName = Field(DEFAULTS.cell, title="Cell", description="The kind of layer.")
    hidden_size: int = Field(
        DEFAULTS.hidden_size,
        ge=2,
        le=50,
        title="Hidden size",
        description="Hidden units per layer, m.",
    )
    sequence_length: int = Field(
        DEFAULTS.sequence_length,
        ge=2,
        le=50,
        title="Sequence length",
        description="Characters of the text, T.",
    )
    seed: int = Field(
        DEFAULTS.seed,
        ge=0,
        le=2**63 - 1,
        title="Seed",
        description="Seed of the network and the text: a problem of one's own.",
    )
    layers: int = Field(
        DEFAULTS.layers, ge=1, le=MAX_LAYERS, title="Layers", description="Recurrent layers."
    )

    @property
    def query(self) -> ProblemQuery:
        """The query of the problem."""
        return ProblemQuery(**self.model_dump())

    @property
    def checks(self) -> int:
        """The work of an answer, in gradient checks of about the default size."""
        return max(1, self.sequence_length * self.layers // CELL_STEPS_PER_CHECK)


class AnswerParameter(BaseModel):
    """The gradient of one parameter.

    `relative_error` is the greatest of its entries, `source` the array's name in the file,
    `transposed` whether the file has it transposed, and `errors` the greatest error of each of at
    most 32 x 32 blocks of entries, row by row.
    """

    name: str
    shape: list[int]
    relative_error: float
    passed: bool
    source: str
    transposed: bool
    errors: list[list[float]]


class ChangedLine(BaseModel):
    """A line of the reference, and the line that a mistake has in its place."""

    module: str
    right: str
    wrong: str


class MistakeDetails(BaseModel):
    """A mistake: the equation that it concerns, what to look at, and the lines that it changes."""

    name: str
    label: str
    equation: str
    look_at: str
    lines: list[ChangedLine]


class FoundMistakes(BaseModel):
    """One mistake or two, and the relative error of their gradients against those sent."""

    mistakes: list[str]
    agreement: float
    explanation: str
    details: list[MistakeDetails]


class Answer(BaseModel):
    """What is right and wrong with gradients.

    `precision` is float64 or float32, and sets the `threshold`. `missing` are parameters without a
    gradient, `remarks` say how the arrays were read, `diagnosis` names the mistakes, the likeliest
    first, and `evidence` says where the error is even if no known mistake fits.
    """

    passed: bool
    threshold: float
    precision: str
    parameters: list[AnswerParameter]
    missing: list[str]
    remarks: list[str]
    diagnosis: list[FoundMistakes]
    evidence: list[str]


class CourseService:
    """Makes problems, and checks answers in a process of its own.

    Parameters
    ----------
    waiting : int
        Maximum number of answers that are being checked or waiting.
    """

    def __init__(self, waiting: int) -> None:
        self._inference = InferenceClient()
        self._admission = AdmissionLimiter(1, waiting, "answers")

    async def problem(self, request: ProblemRequest) -> bytes:
        """Return the file of a problem."""
        return await asyncio.to_thread(lambda: problem_file(make_problem(request.query)))

    async def answer(self, request: ProblemRequest, content: bytes) -> Answer:
        """Check the gradients in a file.

        Raises
        ------
        AnswerError
            The file cannot be compared with the problem.
        ConflictError
            The process ended.
        TooBusyError
            Too many answers are waiting.
        """
        query: dict[str, Any] = request.model_dump()
        async with self._admission:
            try:
                found = await self._inference.check_answer(
                    query, base64.b64encode(content).decode()
                )
            except ChildRefusedError as error:
                raise AnswerError(str(error)) from error
            except ChildExitedError as error:
                raise ConflictError(f"The check failed: {error}.") from error
        return Answer.model_validate(found)

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()
