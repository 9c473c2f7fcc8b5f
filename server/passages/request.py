"""The request for a passage, and the limits on it."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Annotated

from pydantic import Field, field_validator

from server.checkpoints.checkpoint_format import FINGERPRINT_DIGITS
from server.spec.run_spec import StrictModel, encodable

__all__ = ["AtUpdate", "PassageLimits", "PassageRequest"]

MAX_LENGTH = 20_000
MAX_PRIME = 10_000
MAX_TEMPERATURE = 100.0
MAX_TEMPERATURES = 10

Temperature = Annotated[float, Field(ge=0, le=MAX_TEMPERATURE)]


class AtUpdate(StrictModel):
    """The model nearest to an update or, with a fingerprint, exactly that model."""

    update: int = Field(ge=0)
    model: Annotated[str, Field(pattern=f"^[0-9a-f]{{{FINGERPRINT_DIGITS}}}$")] | None = None


class PassageRequest(StrictModel):
    """A request for a passage.

    Attributes
    ----------
    source : str or AtUpdate
        The model: "best", "best_validation", "latest", a checkpoint id, or the model at an update.
    length : int
        In characters, 1 to 20,000.
    temperature : float
        0 takes the most likely character each time; 1 samples from the network's own distribution.
    top_k : int or None
        Sample only from this many of the most likely characters.
    top_p : float or None
        Sample only from the most likely characters whose probabilities add up to this.
    prime : str
        The text to continue; if it is empty, the text continues from the carried state.
    seed : int or None
        Of the random numbers; None draws a seed, which the answer names.
    temperatures : list of float or None
        One passage for each, all from the same seed.
    """

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
    def _check_encodable(cls, value: str) -> str:
        return encodable(value)

    @property
    def thousands(self) -> int:
        """The work in thousands of characters, each passage rounded up.

        The prime is processed once. Processing a character costs as much as writing one.
        """
        primed = len(self.prime) // 1_000
        return primed + ceil(self.length / 1_000) * len(self.temperatures or [self.temperature])


@dataclass(frozen=True, slots=True)
class PassageLimits:
    """Limits on passage requests.

    Attributes
    ----------
    characters : int
        Maximum length of a passage.
    prime_characters : int
        Maximum length of the prime.
    waiting : int
        Maximum number of requests that are running or waiting.
    """

    characters: int = MAX_LENGTH
    prime_characters: int = MAX_PRIME
    waiting: int = 400
