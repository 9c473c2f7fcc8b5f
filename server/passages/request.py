"""What text is wanted, and how much of it may be."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, field_validator

from server.checkpoints.checkpoint_format import FINGERPRINT_DIGITS
from server.spec.run_spec import encodable

__all__ = ["AtUpdate", "PassageLimits", "PassageRequest"]

MAX_LENGTH = 20_000
MAX_PRIME = 10_000
MAX_TEMPERATURE = 100.0
MAX_TEMPERATURES = 10

Temperature = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)]


class AtUpdate(BaseModel):
    """The model that stood nearest to an update, or, with its fingerprint, that very model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    update: int = Field(ge=0)
    model: Annotated[str, Field(pattern=f"^[0-9a-f]{{{FINGERPRINT_DIGITS}}}$")] | None = None


class PassageRequest(BaseModel):
    """What text is wanted.

    Attributes
    ----------
    source : str or AtUpdate
        "best", "best_validation", "latest", the id of a checkpoint, or the update to be near to.
    length : int
        Characters, 1 to 20,000.
    temperature : float
        0 takes the likeliest character each time, 1 draws from the network's own distribution.
    top_k, top_p : int or None, float or None
        Draw only from so many of the likeliest characters; from the likeliest that together have
        this probability.
    prime : str
        Text to go on from; empty: where training stands in the book.
    seed : int or None
        Of the random numbers; None: made up, and named in the answer.
    temperatures : list of float or None
        One passage each, from the same seed.
    """

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    source: Annotated[str, Field(min_length=1, max_length=64)] | AtUpdate = "best"
    length: int = Field(1_000, ge=1, le=MAX_LENGTH)
    temperature: Temperature = 1.0
    top_k: int | None = Field(None, ge=1)
    top_p: float | None = Field(None, gt=0, le=1)
    prime: str = Field("", max_length=MAX_PRIME)
    seed: int | None = Field(None, ge=0, lt=2**63)
    temperatures: list[Temperature] | None = Field(None, min_length=1, max_length=MAX_TEMPERATURES)

    @field_validator("prime")
    @classmethod
    def _whole(cls, value: str) -> str:
        return encodable(value)

    @property
    def thousands(self) -> int:
        """How much work it is: thousands of characters, begun ones counted whole.

        What is gone on from is read once, and reading a character costs what writing one does.
        """
        read = len(self.prime) // 1_000
        return read + ceil(self.length / 1_000) * len(self.temperatures or [self.temperature])


@dataclass(frozen=True, slots=True)
class PassageLimits:
    """What may be asked for.

    Attributes
    ----------
    characters : int
        Length of a passage at most.
    prime_characters : int
        Length of the text to go on from at most.
    waiting : int
        Passages that are under way or waited for at most.
    """

    characters: int = MAX_LENGTH
    prime_characters: int = MAX_PRIME
    waiting: int = 400
