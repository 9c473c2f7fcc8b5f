"""Mistakes, live: a network with a mistake trained beside the right one, on request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import Field

from server.concurrency.admission import AdmissionLimiter
from server.concurrency.child_process import ChildExitedError, ChildRefusedError
from server.concurrency.json_lines import Message
from server.course.mistakes import NETWORK
from server.course.symptoms import symptom_of
from server.course.training import OF_LOWER_LAYERS, training_mistakes, training_variant
from server.errors import ConflictError
from server.inference.client import InferenceClient
from server.inference.messages import TrainMistake
from server.rnn.architecture import MAX_LAYERS, Architecture
from server.rnn.cells import CELLS, DEFAULT_CELL
from server.spec.run_spec import CellName, SpecError, StrictModel
from server.spec.schemas import ApiModel

__all__ = [
    "MistakeTraining",
    "MistakeTrainingService",
    "TrainingNumber",
    "TrainingProgress",
    "TrainingResult",
    "TrainingSample",
    "described_mistakes",
    "training_numbers",
]

DEFAULT_MISTAKE = "no_recurrent_gradient"
# One-hot vectors of more characters take longer than everything else.
MAX_DISTINCT = 1_000
MAX_SECONDS = 180.0
# Times of the reference on a usual machine: of a multiply-add in the products and outer products of
# both passes and in AdaGrad, and of the calls of NumPy at each step of each layer.
MULTIPLY_ADD_S = 2e-9
STEP_S = 25e-6
# A gradient check of the default size takes so long.
SECONDS_PER_CHECK = 0.1


class MistakeTraining(StrictModel):
    """A request to train a network with a mistake beside the right one.

    Attributes
    ----------
    corpus : str or None
        The id of the text; None for the shipped one.
    cell, layers, hidden_size, sequence_length, seed
        As in a run's spec.
    mistake : str
        A mistake that networks of this cell can be trained with.
    updates : int
        How many updates each network makes.
    """

    corpus: str | None = None
    cell: CellName = DEFAULT_CELL
    mistake: str = DEFAULT_MISTAKE
    hidden_size: int = Field(50, ge=1, le=300, title="Hidden size")
    layers: int = Field(1, ge=1, le=MAX_LAYERS, title="Layers")
    sequence_length: int = Field(25, ge=1, le=100, title="Sequence length")
    seed: int = Field(0, ge=0, le=2**63 - 1, title="Seed")
    updates: int = Field(5_000, ge=1, le=20_000, title="Updates")

    def seconds(self, distinct: int) -> float:
        """Return about how long both networks take on a usual machine.

        Parameters
        ----------
        distinct : int
            K.
        """
        size = Architecture(
            vocabulary_size=distinct,
            hidden_size=self.hidden_size,
            cell=self.cell,
            layers=self.layers,
        ).size
        per_step_s = MULTIPLY_ADD_S * size + STEP_S * self.layers
        return 2 * self.updates * self.sequence_length * per_step_s


class TrainingProgress(ApiModel):
    """The smooth losses of the updates since the last line of the response.

    Attributes
    ----------
    update : int
        The last of these updates.
    right, wrong : list of float or None
        The smooth loss after each update, in nats; None if it is not finite.
    updates_per_second : float
        Of both networks together, on average.
    """

    update: int
    right: list[float | None]
    wrong: list[float | None]
    updates_per_second: float


class TrainingSample(ApiModel):
    """What both networks write, and how far off the gradients with the mistake are.

    Attributes
    ----------
    update : int
        The number of updates made.
    right, wrong : str or None
        The texts; None if the probabilities are not finite or do not add up to 1.
    gradient_errors : dict of str to float or None
        By parameter, at the parameters of the right network: the Euclidean norm of the difference,
        divided by the greater of the two gradients' norms.
    """

    update: int
    right: str | None
    wrong: str | None
    gradient_errors: dict[str, float | None]


class TrainingResult(ApiModel):
    """The end of a training.

    Attributes
    ----------
    updates : int
        The number of updates made.
    seconds : float
        How long they took, with the samples.
    """

    updates: int
    seconds: float


OnPart = Callable[[TrainingProgress | TrainingSample], None]


@dataclass(frozen=True, slots=True)
class TrainingNumber:
    """A number of `MistakeTraining`, as the form shows it.

    Attributes
    ----------
    name, title : str
        The field, and its label.
    default, minimum, maximum : int
        The default and the range, both ends included.
    """

    name: str
    title: str
    default: int
    minimum: int
    maximum: int


def training_numbers() -> list[TrainingNumber]:
    """Return the numbers of a request, in the order of its fields."""
    return [
        TrainingNumber(name, *(schema[key] for key in ("title", "default", "minimum", "maximum")))
        for name, schema in MistakeTraining.model_json_schema()["properties"].items()
        if schema.get("type") == "integer"
    ]


@cache
def described_mistakes() -> dict[str, list[dict[str, Any]]]:
    """Return the mistakes that the networks of each cell can be trained with, for the page.

    Returns
    -------
    dict
        By cell, in the order of the list. `lines` has the right line of the reference and the wrong
        one, `min_layers` is how many layers a network needs to have the mistake, `verdict` and
        `sentence` say how it shows, and `measured` with which networks that was found.
    """
    return {
        cell: [
            {
                "name": mistake.name,
                "label": mistake.label,
                "equation": mistake.equation,
                "look_at": mistake.look_at,
                "lines": [
                    {"right": right, "wrong": wrong}
                    for module in (cell, NETWORK)
                    for right, wrong in training_variant(cell, mistake.name).lines.get(module, ())
                ],
                "min_layers": 2 if mistake.name in OF_LOWER_LAYERS else 1,
                **_symptom(cell, mistake.name),
            }
            for mistake in training_mistakes(cell, MAX_LAYERS)
        ]
        for cell in CELLS
    }


def _symptom(cell: str, name: str) -> dict[str, str | None]:
    symptom = symptom_of(cell, name)
    if symptom is None:
        return {"verdict": None, "sentence": None, "measured": None}
    return {
        "verdict": symptom.verdict,
        "sentence": symptom.sentence,
        "measured": symptom.measured,
    }


class MistakeTrainingService:
    """Trains networks with mistakes in a process of its own, one request at a time.

    Parameters
    ----------
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    def __init__(self, waiting: int) -> None:
        self._inference = InferenceClient()
        self._admission = AdmissionLimiter(1, waiting, "trainings with a mistake")

    def cost(self, request: MistakeTraining, distinct: int) -> int:
        """Return the work of a request, in gradient checks of the default size.

        Raises
        ------
        SpecError
            The cell cannot have the mistake, or the networks take too long.
        """
        known = {each.name for each in training_mistakes(request.cell, request.layers)}
        if request.mistake not in known:
            raise SpecError(
                "mistake",
                f"must be a mistake that the cell {request.cell} can have"
                f" (number of layers: {request.layers})",
            )
        if distinct > MAX_DISTINCT:
            raise SpecError("corpus", f"must have at most {MAX_DISTINCT:,} distinct characters")
        seconds = request.seconds(distinct)
        if seconds > MAX_SECONDS:
            most = int(request.updates * MAX_SECONDS / seconds)
            raise SpecError("updates", f"must be at most {most:,} with networks of this size")
        return max(1, round(seconds / SECONDS_PER_CHECK))

    async def train(
        self, request: MistakeTraining, corpus_path: Path, on_part: OnPart
    ) -> TrainingResult:
        """Train both networks.

        Parameters
        ----------
        request : MistakeTraining
            For which `cost` raises no error.
        corpus_path : Path
            The text.
        on_part : callable
            Called some times a second, and for each sample.

        Raises
        ------
        ConflictError
            The training failed.
        TooBusyError
            Too many requests are waiting.
        """
        command = TrainMistake(
            corpus_path=str(corpus_path), **request.model_dump(exclude={"corpus"})
        )
        try:
            async with self._admission:
                reply = await self._inference.train_mistake(
                    command, lambda message: on_part(_part(message))
                )
        except (ChildExitedError, ChildRefusedError) as error:
            raise ConflictError(f"The training failed: {error}.") from error
        return TrainingResult(updates=reply["updates"], seconds=reply["seconds"])

    async def close(self) -> None:
        """End the process."""
        await self._inference.terminate()


def _part(message: Message) -> TrainingProgress | TrainingSample:
    if (sample := message.get("sample")) is not None:
        return TrainingSample.model_validate(sample)
    return TrainingProgress(
        update=message["update"],
        right=message["right"],
        wrong=message["wrong"],
        updates_per_second=message["updates_per_second"],
    )
